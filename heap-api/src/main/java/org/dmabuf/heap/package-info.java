// SPDX-License-Identifier: Apache-2.0
/**
 * Interfaces and values for clients of the heaps: {@link org.dmabuf.heap.HeapBroker} allocates,
 * {@link org.dmabuf.heap.DmaBuf} is the result. Only the broker implements these interfaces, so they may grow in a
 * minor version.
 */
@Export
@Version("1.2.0")
package org.dmabuf.heap;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
