// SPDX-License-Identifier: Apache-2.0
/**
 * The way of a request: checked, matched with the heaps, charged and served. Foreign memory is adopted here, too.
 */
package org.dmabuf.heap.broker.allocation;
