// SPDX-License-Identifier: Apache-2.0
/** The heaps that are here: what they announce, which of them serves a name or an id, and how they leave. */
package org.dmabuf.heap.broker.heap;
