// SPDX-License-Identifier: Apache-2.0
/**
 * Interfaces that a vendor of a heap implements: {@link org.dmabuf.heap.spi.HeapExporter} makes buffers,
 * {@link org.dmabuf.heap.spi.HeapBuffer} is one. The broker adds references, sharing, accounting and the tracking of
 * CPU accesses. Most heaps need no HeapBuffer of their own, because the bundle heap-linux has ready-made ones.
 *
 * <p>A bundle that knows devices implements {@link org.dmabuf.heap.spi.DeviceDemands}, and
 * {@link org.dmabuf.heap.spi.DeviceProbe} if it can ask them.
 */
@Export
@Version("1.2.0")
package org.dmabuf.heap.spi;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
