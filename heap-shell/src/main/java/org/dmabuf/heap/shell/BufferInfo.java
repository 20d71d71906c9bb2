// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Map;
import java.util.OptionalLong;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;

/**
 * A buffer that the shell holds, as a command returns it.
 *
 * @param name by which the shell knows it
 * @param size bytes
 * @param heap name of the heap it came from
 * @param backend what made the memory
 * @param dmabuf whether its descriptor is a real dma-buf
 * @param inode the kernel's number, where it has a descriptor
 */
record BufferInfo(String name, long size, String heap, String backend, boolean dmabuf, OptionalLong inode) {
    static BufferInfo of(String name, DmaBuf buffer) {
        Map<String, Object> properties = buffer.heapProperties();
        return new BufferInfo(
                name,
                buffer.size(),
                buffer.heapName(),
                String.valueOf(properties.getOrDefault(HeapProperties.BACKEND, "unknown")),
                Boolean.TRUE.equals(properties.get(HeapProperties.DMABUF)),
                buffer.inode());
    }
}
