// SPDX-License-Identifier: Apache-2.0
/**
 * Objects of the kernel: memfds, mappings, dma-bufs, device nodes, event counters and small files of {@code /proc}; and
 * its error numbers as sentences.
 */
package org.dmabuf.heap.linux.kernel;
