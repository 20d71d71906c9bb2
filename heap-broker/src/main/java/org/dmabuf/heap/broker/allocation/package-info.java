// SPDX-License-Identifier: Apache-2.0
/**
 * The allocation of buffers: a request is checked, matched with the heaps, charged and served. Foreign memory is
 * adopted here, too.
 */
package org.dmabuf.heap.broker.allocation;
