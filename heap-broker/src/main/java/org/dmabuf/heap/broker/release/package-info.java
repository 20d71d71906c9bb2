// SPDX-License-Identifier: Apache-2.0
/** Deferred calls into heaps' code, for which no client waits, with a reaper for each heap. */
package org.dmabuf.heap.broker.release;
