// SPDX-License-Identifier: Apache-2.0
/**
 * What the broker promises when two threads meet in it, tried in the interleavings that jcstress can provoke. Each
 * test lists the outcomes that may be; any other fails the run.
 *
 * <p>The states take no fence of their own where the broker is to give the order: what one thread wrote plainly,
 * another must see plainly.
 */
package org.dmabuf.heap.broker;
