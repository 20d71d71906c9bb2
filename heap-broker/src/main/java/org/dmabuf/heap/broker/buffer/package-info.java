// SPDX-License-Identifier: Apache-2.0
/** Buffers, and the resources through which clients use them: references, mappings, CPU accesses and descriptors. */
package org.dmabuf.heap.broker.buffer;
