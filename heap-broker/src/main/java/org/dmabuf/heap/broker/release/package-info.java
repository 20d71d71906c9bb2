// SPDX-License-Identifier: Apache-2.0
/** Calls into a heap's code for which no client waits: a worker for each heap. */
package org.dmabuf.heap.broker.release;
