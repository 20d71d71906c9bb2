// SPDX-License-Identifier: Apache-2.0
/**
 * Objects of the kernel: memfds, mappings, dma-bufs, device nodes, event counters and small files of {@code /proc}; and
 * messages for its error numbers.
 */
package org.dmabuf.heap.linux.kernel;
