// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.linux.text.Bytes;

/** Table of the buffers of all clients for {@code dmaheap:dump}, one row for each buffer. */
final class ChargedBuffers {
    private static final String UNKNOWN = "-";

    private final List<BufferRecord> buffers;
    private final ClientNames clients;

    /** Creates the table. */
    ChargedBuffers(List<BufferRecord> buffers) {
        this.buffers = List.copyOf(buffers);
        this.clients = new ClientNames(buffers.stream().map(BufferRecord::client).toList());
    }

    /** {@return each buffer in a line of 80 characters} */
    String narrow() {
        Table table = new Table("HEAP…", "…CLIENT", "NAME…", "SIZE ", "INODE ", "REFS ", "MAPS ", "STATE", "AGE ");
        for (BufferRecord buffer : buffers) {
            table.row(
                    buffer.heap(),
                    clients.of(buffer.client()),
                    buffer.name().orElse(UNKNOWN),
                    Bytes.text(buffer.size()),
                    inode(buffer),
                    Integer.toString(buffer.references()),
                    Integer.toString(buffer.mappings()),
                    state(buffer),
                    Times.age(buffer.age()));
        }
        return table.within(Table.WIDTH);
    }

    /** {@return each name in full, with the innermost call of the allocation site if recorded} */
    String wide() {
        Table table = new Table(
                "HEAP", "CLIENT", "NAME", "SIZE ", "INODE ", "REFERENCES ", "MAPPINGS ", "CPU ACCESSES ", "STATE",
                "AGE ", "ALLOCATED AT");
        for (BufferRecord buffer : buffers) {
            table.row(
                    buffer.heap(),
                    clients.of(buffer.client()),
                    buffer.name().orElse(UNKNOWN),
                    Bytes.text(buffer.size()),
                    inode(buffer),
                    Integer.toString(buffer.references()),
                    Integer.toString(buffer.mappings()),
                    Integer.toString(buffer.cpuAccesses()),
                    state(buffer),
                    Times.age(buffer.age()),
                    buffer.site().isEmpty() ? UNKNOWN : buffer.site().getFirst().toString());
        }
        return table.toString();
    }

    private static String inode(BufferRecord buffer) {
        return buffer.inode().isPresent() ? Long.toString(buffer.inode().getAsLong()) : UNKNOWN;
    }

    private static String state(BufferRecord buffer) {
        return buffer.lingering() ? "lingering" : buffer.exported() ? "exported" : "live";
    }
}
