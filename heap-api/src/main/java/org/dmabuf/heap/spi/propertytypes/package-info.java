// SPDX-License-Identifier: Apache-2.0
/**
 * Component property types for {@link org.dmabuf.heap.HeapProperties}: a vendor's component declares by annotations
 * what is known of its memory before it starts. The registration helper of heap-linux, {@code HeapStart}, announces
 * these properties with those that it measured, and what was measured goes before what was declared.
 *
 * <pre>
 * &#64;Component(immediate = true, service = {})
 * &#64;HeapName("frames")
 * &#64;HeapType("vendor")
 * &#64;HeapCached(false)
 * public final class FramesHeap …
 * </pre>
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.spi.propertytypes;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
