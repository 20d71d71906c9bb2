// SPDX-License-Identifier: Apache-2.0
/**
 * Tests of the broker's guarantees for concurrent threads, in the interleavings that jcstress can provoke. Each test
 * lists the permitted outcomes; any other outcome fails the run.
 *
 * <p>The states use no fences where the broker must order the accesses: a plain read must see the plain write of
 * another thread.
 */
package org.dmabuf.heap.broker;
