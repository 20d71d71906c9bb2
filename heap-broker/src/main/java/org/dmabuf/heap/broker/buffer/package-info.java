// SPDX-License-Identifier: Apache-2.0
/** Buffers, and all that a client has open of them: references, mappings, CPU accesses and descriptors. */
package org.dmabuf.heap.broker.buffer;
