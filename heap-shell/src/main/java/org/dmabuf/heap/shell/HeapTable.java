// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Table of the heaps for {@code dmaheap:list}: a row for each heap and a last row for adopted memory. Below the table a
 * line explains each heap that does not serve plain requests.
 */
final class HeapTable {
    private static final String UNKNOWN = "-";

    private final List<HeapInfo> heaps;
    private final Optional<UsageRecord> adopted;

    /**
     * Creates the table.
     *
     * @param heaps heaps in the order in which requests ask them
     * @param adopted usage of adopted memory; empty without adopted memory
     */
    HeapTable(List<HeapInfo> heaps, Optional<UsageRecord> adopted) {
        this.heaps = List.copyOf(heaps);
        this.adopted = adopted;
    }

    /** {@return the main columns, in lines of at most 80 characters} */
    String narrow() {
        Table table = new Table("NAME…", "TYPE…", "BACKEND…", "DMA-BUF", "STATE", "FREE ", "LIVE ", "LINGERING ");
        for (HeapInfo heap : heaps) {
            table.row(
                    heap.name(),
                    announced(heap, HeapProperties.TYPE),
                    announced(heap, HeapProperties.BACKEND),
                    dmabuf(heap),
                    state(heap),
                    bytes(heap.usage().free()),
                    Bytes.text(heap.charged().liveBytes()),
                    Bytes.text(heap.charged().lingeringBytes()));
        }
        adopted.ifPresent(record -> table.row(last(record, 5, Bytes.text(record.liveBytes()))));
        return table.titledWithin(Table.WIDTH) + notes();
    }

    /** {@return all figures and each name in full} */
    String wide() {
        Table table = new Table(
                "NAME",
                "ID ",
                "TYPE",
                "BACKEND",
                "DMA-BUF",
                "EMULATES",
                "STATE",
                "CAPACITY ",
                "FREE ",
                "LARGEST ",
                "BUFFERS ",
                "LIVE ",
                "LINGERING ");
        for (HeapInfo heap : heaps) {
            table.row(
                    heap.name(),
                    announced(heap, HeapProperties.ID),
                    announced(heap, HeapProperties.TYPE),
                    announced(heap, HeapProperties.BACKEND),
                    dmabuf(heap),
                    announced(heap, HeapProperties.EMULATES),
                    state(heap),
                    bytes(heap.usage().capacity()),
                    bytes(heap.usage().free()),
                    bytes(heap.usage().largestFree()),
                    Long.toString(heap.charged().liveBuffers()),
                    Bytes.text(heap.charged().liveBytes()),
                    Bytes.text(heap.charged().lingeringBytes()));
        }
        adopted.ifPresent(record ->
                table.row(last(record, 9, Long.toString(record.liveBuffers()), Bytes.text(record.liveBytes()))));
        return table + notes();
    }

    /** Row of adopted memory. It has no heap, and therefore none of a heap's properties. */
    private static String[] last(UsageRecord record, int unknown, String... figures) {
        List<String> row = new ArrayList<>();
        row.add(record.heap().orElse(UNKNOWN));
        for (int i = 0; i < unknown; i++) {
            row.add(UNKNOWN);
        }
        row.addAll(Arrays.asList(figures));
        row.add(Bytes.text(record.lingeringBytes()));
        return row.toArray(String[]::new);
    }

    private String notes() {
        StringBuilder text = new StringBuilder();
        for (HeapInfo heap : heaps) {
            List<String> notes = new ArrayList<>();
            if (heap.state() != HeapState.SERVING) {
                heap.reason().ifPresent(reason -> notes.add(state(heap) + ": " + reason));
            }
            heap.plainRefusal().map(OptionWords::of).ifPresent(notes::add);
            if (!heap.usageAge().isZero()) {
                notes.add("its own figures are " + Times.age(heap.usageAge()) + " old");
            }
            if (!notes.isEmpty()) {
                text.append(text.isEmpty() ? "\n\n" : "\n")
                        .append(Paragraph.of("", heap.name() + ": " + String.join("; ", notes), 2));
            }
        }
        return text.toString();
    }

    private static String state(HeapInfo heap) {
        return heap.state().toString().toLowerCase(Locale.ROOT);
    }

    private static String dmabuf(HeapInfo heap) {
        return Boolean.TRUE.equals(heap.properties().get(HeapProperties.DMABUF)) ? "yes" : "no";
    }

    private static String announced(HeapInfo heap, String property) {
        String text = PropertyValue.text(heap.properties().get(property));
        return text.isEmpty() ? UNKNOWN : text;
    }

    private static String bytes(OptionalLong bytes) {
        return bytes.isPresent() ? Bytes.text(bytes.getAsLong()) : UNKNOWN;
    }
}
