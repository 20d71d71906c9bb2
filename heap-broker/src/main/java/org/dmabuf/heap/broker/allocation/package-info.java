// SPDX-License-Identifier: Apache-2.0
/**
 * Allocation of buffers: requests are checked, matched with the heaps, charged and served. This package also adopts
 * memory of other processes.
 */
package org.dmabuf.heap.broker.allocation;
