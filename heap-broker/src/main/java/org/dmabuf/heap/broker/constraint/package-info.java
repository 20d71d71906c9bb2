// SPDX-License-Identifier: Apache-2.0
/** Solver of demands: which heaps meet all of them, and which demands are in conflict. Pure, without input or output. */
package org.dmabuf.heap.broker.constraint;
