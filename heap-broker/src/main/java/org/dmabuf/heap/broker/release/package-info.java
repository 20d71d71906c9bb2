// SPDX-License-Identifier: Apache-2.0
/** Deferred calls into heaps' code for which no client waits. Each heap has its own reaper. */
package org.dmabuf.heap.broker.release;
