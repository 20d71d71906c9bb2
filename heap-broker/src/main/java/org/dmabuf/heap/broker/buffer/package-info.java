// SPDX-License-Identifier: Apache-2.0
/** Buffers, and the resources that clients have open of them: references, mappings, CPU accesses and descriptors. */
package org.dmabuf.heap.broker.buffer;
