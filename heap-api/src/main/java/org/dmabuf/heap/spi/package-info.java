// SPDX-License-Identifier: Apache-2.0
/**
 * What a vendor of a heap implements: {@link org.dmabuf.heap.spi.HeapExporter} makes buffers,
 * {@link org.dmabuf.heap.spi.HeapBuffer} is one. References, sharing, accounting and brackets are the broker's; most
 * heaps need to write no HeapBuffer, because the bundle heap-linux has ready-made ones.
 */
@Export
@Version("1.0.0")
package org.dmabuf.heap.spi;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
