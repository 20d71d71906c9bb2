// SPDX-License-Identifier: Apache-2.0
/** Registered heaps: their properties, the routes by name and id, and their departure. */
package org.dmabuf.heap.broker.heap;
