// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Bytes;

/** Table of usage records for {@code dmaheap:usage} and {@code dmaheap:clients}, one row for each record. */
final class UsageTable {
    private static final String UNKNOWN = "-";

    /** Column of a table: its heading, and its cell for a record. */
    private record Column(String heading, Function<UsageRecord, String> cell) {}

    private final List<UsageRecord> records;
    private final List<Column> columns;
    private final boolean wide;

    private UsageTable(List<UsageRecord> records, List<Column> keys, List<Column> figures, boolean wide) {
        this.records = List.copyOf(records);
        this.columns = Stream.concat(keys.stream(), (wide ? allFigures() : figures).stream())
                .toList();
        this.wide = wide;
    }

    /** @param inLargeFolios returns the bytes that a heap has in large folios; shown in the wide table */
    static UsageTable ofHeaps(
            List<UsageRecord> records, Function<UsageRecord, OptionalLong> inLargeFolios, boolean wide) {
        List<Column> keys = wide
                ? List.of(heap(), new Column("LARGE FOLIOS ", record -> bytes(inLargeFolios.apply(record))))
                : List.of(heap());
        return new UsageTable(records, keys, figures(), wide);
    }

    /** @param origins of the clients; shown in the wide table */
    static UsageTable ofClients(List<UsageRecord> records, Origins origins, boolean wide) {
        List<Column> keys = wide
                ? List.of(client(records), new Column("ORIGIN", record -> text(origins.of(record.client()))))
                : List.of(client(records));
        return new UsageTable(records, keys, figures(), wide);
    }

    private static String text(List<String> origins) {
        return origins.isEmpty() ? UNKNOWN : String.join(", ", origins);
    }

    /** {@return a table of clients on each heap; failures are not recorded at that level} */
    static UsageTable ofClientsOnHeaps(List<UsageRecord> records, boolean wide) {
        return new UsageTable(records, List.of(client(records), heap()), charged(), wide);
    }

    private static Column heap() {
        return new Column("HEAP…", record -> record.heap().orElse(UNKNOWN));
    }

    private static Column client(List<UsageRecord> records) {
        ClientNames clients = new ClientNames(
                records.stream().flatMap(record -> record.client().stream()).toList());
        return new Column("CLIENT…", record -> record.client().map(clients::of).orElse(UNKNOWN));
    }

    private static List<Column> charged() {
        return List.of(
                new Column("BUFFERS ", record -> Long.toString(record.liveBuffers() + record.lingeringBuffers())),
                new Column("LIVE ", record -> Bytes.text(record.liveBytes())),
                new Column("LINGERING ", record -> Bytes.text(record.lingeringBytes())),
                new Column("PEAK ", record -> Bytes.text(record.peakBytes())),
                new Column("QUOTA ", record -> bytes(record.limit())));
    }

    private static List<Column> figures() {
        return Stream.concat(charged().stream(), Stream.of(new Column("FAILURES…", UsageTable::failures)))
                .toList();
    }

    private static List<Column> allFigures() {
        return Stream.concat(
                        charged().stream(),
                        Stream.of(
                                new Column("ALLOCATIONS ", record -> Long.toString(record.allocations())),
                                new Column("ALLOCATED ", record -> Bytes.text(record.allocatedBytes())),
                                new Column("WAITS ", record -> waited(record, Long.toString(record.waits()))),
                                new Column("WAITED ", record -> waited(record, Times.wait(record.waited()))),
                                new Column("LONGEST ", record -> waited(record, Times.wait(record.longestWait()))),
                                new Column("FAILURES", UsageTable::failuresByCause)))
                .toList();
    }

    private static String waited(UsageRecord record, String figure) {
        return record.waits() > 0 ? figure : UNKNOWN;
    }

    /** Text with the number of failures and the most frequent cause. */
    private static String failures(UsageRecord record) {
        Map<Errno, Long> failures = record.failures();
        long all = failures.values().stream().mapToLong(Long::longValue).sum();
        return failures.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .map(most -> all + (failures.size() == 1 ? " " : ", most ") + most.getKey())
                .orElse(UNKNOWN);
    }

    private static String failuresByCause(UsageRecord record) {
        return record.failures().isEmpty()
                ? UNKNOWN
                : record.failures().entrySet().stream()
                        .map(failed -> failed.getValue() + " " + failed.getKey())
                        .collect(Collectors.joining(", "));
    }

    private static String bytes(OptionalLong bytes) {
        return bytes.isPresent() ? Bytes.text(bytes.getAsLong()) : UNKNOWN;
    }

    @Override
    public String toString() {
        Table table = new Table(columns.stream().map(Column::heading).toArray(String[]::new));
        for (UsageRecord record : records) {
            table.row(
                    columns.stream().map(column -> column.cell().apply(record)).toArray(String[]::new));
        }
        return wide ? table.toString() : table.titledWithin(Table.WIDTH);
    }
}
