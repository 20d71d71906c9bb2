// SPDX-License-Identifier: Apache-2.0
/**
 * Component property types for {@link org.dmabuf.heap.HeapProperties}: a vendor's component declares the known
 * properties of its memory by annotations. {@code HeapStart}, the registration helper of heap-linux, announces them
 * together with the measured properties. A measured property overrides a declared one.
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
@Version("1.1.0")
package org.dmabuf.heap.spi.propertytypes;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
