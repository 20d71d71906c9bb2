// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.function.Function;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.linux.text.Bytes;

/** Table of the buffers of all clients for {@code dmaheap:dump}, one row for each buffer. */
final class ChargedBuffers {
    private static final String UNKNOWN = "-";

    /** Column of the table: its heading, and its cell for a buffer. */
    private record Column(String heading, Function<BufferRecord, String> cell) {}

    private static final Column SIZE = new Column("SIZE ", buffer -> Bytes.text(buffer.size()));
    private static final Column INODE = new Column("INODE ", ChargedBuffers::inode);
    private static final Column STATE = new Column("STATE", ChargedBuffers::state);
    private static final Column AGE = new Column("AGE ", buffer -> Times.age(buffer.age()));

    private final List<BufferRecord> buffers;
    private final ClientNames clients;

    /** Creates the table. */
    ChargedBuffers(List<BufferRecord> buffers) {
        this.buffers = List.copyOf(buffers);
        this.clients =
                new ClientNames(buffers.stream().map(BufferRecord::client).toList());
    }

    /** {@return each buffer in a line of 80 characters} */
    String narrow() {
        return table(List.of(
                        new Column("HEAP…", BufferRecord::heap),
                        new Column("…CLIENT", this::client),
                        new Column("NAME…", ChargedBuffers::name),
                        SIZE,
                        INODE,
                        new Column("REFS ", buffer -> Integer.toString(buffer.references())),
                        new Column("MAPS ", buffer -> Integer.toString(buffer.mappings())),
                        STATE,
                        AGE))
                .within(Table.WIDTH);
    }

    /**
     * {@return each name in full, with the origin of the client, and the innermost call of the allocation site if
     * recorded}
     */
    String wide() {
        return table(List.of(
                        new Column("HEAP", BufferRecord::heap),
                        new Column("CLIENT", this::client),
                        new Column("ORIGIN", buffer -> buffer.origin().orElse(UNKNOWN)),
                        new Column("NAME", ChargedBuffers::name),
                        SIZE,
                        INODE,
                        new Column("REFERENCES ", buffer -> Integer.toString(buffer.references())),
                        new Column("MAPPINGS ", buffer -> Integer.toString(buffer.mappings())),
                        new Column("CPU ACCESSES ", buffer -> Integer.toString(buffer.cpuAccesses())),
                        STATE,
                        AGE,
                        new Column("ALLOCATED AT", ChargedBuffers::site)))
                .toString();
    }

    private Table table(List<Column> columns) {
        Table table = new Table(columns.stream().map(Column::heading).toArray(String[]::new));
        for (BufferRecord buffer : buffers) {
            table.row(
                    columns.stream().map(column -> column.cell().apply(buffer)).toArray(String[]::new));
        }
        return table;
    }

    private String client(BufferRecord buffer) {
        return clients.of(buffer.client());
    }

    private static String name(BufferRecord buffer) {
        return buffer.name().orElse(UNKNOWN);
    }

    private static String site(BufferRecord buffer) {
        return buffer.site().isEmpty() ? UNKNOWN : buffer.site().getFirst().toString();
    }

    private static String inode(BufferRecord buffer) {
        return buffer.inode().isPresent() ? Long.toString(buffer.inode().getAsLong()) : UNKNOWN;
    }

    private static String state(BufferRecord buffer) {
        return buffer.lingering() ? "lingering" : buffer.exported() ? "exported" : "live";
    }
}
