// SPDX-License-Identifier: Apache-2.0
/** Solver of demands: the heaps that meet all of them, or the demands in conflict. Pure, without input or output. */
package org.dmabuf.heap.broker.constraint;
