// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * What commands tell of a buffer that the shell holds.
 *
 * @param name by which the shell knows it
 * @param size bytes
 * @param content how many of them mean something
 * @param heap name of the heap it came from
 * @param backend what made the memory
 * @param dmabuf whether its descriptor is a real dma-buf
 * @param inode the kernel's number, where it has a descriptor
 */
record BufferInfo(
        String name, long size, long content, String heap, String backend, boolean dmabuf, OptionalLong inode) {
    static BufferInfo of(String name, DmaBuf buffer, long content) {
        Map<String, Object> properties = buffer.heapProperties();
        return new BufferInfo(
                name,
                buffer.size(),
                content,
                buffer.heapName(),
                String.valueOf(properties.getOrDefault(HeapProperties.BACKEND, "unknown")),
                Boolean.TRUE.equals(properties.get(HeapProperties.DMABUF)),
                buffer.inode());
    }

    /** {@return one line for each, under a heading} */
    static String table(List<BufferInfo> buffers) {
        Table table = new Table("NAME…", "SIZE ", "HEAP…", "BACKEND…", "DMA-BUF", "INODE ");
        for (BufferInfo buffer : buffers) {
            table.row(
                    buffer.name,
                    Bytes.text(buffer.size),
                    buffer.heap,
                    buffer.backend,
                    buffer.dmabuf ? "yes" : "no",
                    buffer.inode.isPresent() ? Long.toString(buffer.inode.getAsLong()) : "-");
        }
        return table.titledWithin(Table.WIDTH);
    }

    /** Adds all of it to facts that a person reads. */
    Facts addTo(Facts facts) {
        facts.add("buffer", name).addSize("size", size).add("heap", heap).add("backend", backend);
        if (inode.isEmpty()) {
            return facts.add("descriptor", "none, it was allocated without");
        }
        return facts.add("descriptor", descriptor(dmabuf)).add("inode", Long.toString(inode.getAsLong()));
    }

    /** {@return what a descriptor is good for} */
    static String descriptor(boolean dmabuf) {
        return dmabuf
                ? "dma-buf: devices import it, other processes map it"
                : "no dma-buf: other processes map it, no device imports it";
    }

    /** {@return all of it by names that stay} */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", name);
        map.put("size", size);
        map.put("content", content);
        map.put("heap", heap);
        map.put("backend", backend);
        map.put("dmabuf", dmabuf);
        inode.ifPresent(number -> map.put("inode", number));
        return map;
    }
}
