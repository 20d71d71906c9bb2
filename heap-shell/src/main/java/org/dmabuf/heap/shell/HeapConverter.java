// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.felix.service.command.Converter;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.service.component.annotations.Component;

/** How heaps and buffers look in a terminal. */
@Component(
        property = {
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.HeapInfo",
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.UsageRecord",
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.BufferRecord"
        })
public final class HeapConverter implements Converter {
    private static final String UNKNOWN = "-";

    @Override
    public Object convert(Class<?> desired, Object from) {
        return null; // text becomes no heap and no buffer
    }

    @Override
    public CharSequence format(Object target, int level, Converter escape) {
        return switch (target) {
            case HeapDetails heaps ->
                heaps.stream().map(HeapConverter::details).collect(Collectors.joining("\n\n"));
            case ListedHeaps listed when !listed.isEmpty() || listed.adopted().isPresent() ->
                heaps(listed, listed.adopted());
            case Collection<?> some when all(HeapInfo.class, some) -> heaps(some, Optional.empty());
            case Collection<?> some when all(UsageRecord.class, some) -> usages(some);
            case Collection<?> some when all(BufferRecord.class, some) -> charged(some);
            case UsageRecord usage when level == INSPECT -> usages(List.of(usage));
            case UsageRecord usage ->
                Printable.of(whose(usage)) + ": " + Bytes.text(usage.liveBytes() + usage.lingeringBytes());
            case BufferRecord buffer when level == INSPECT -> charged(List.of(buffer));
            case BufferRecord buffer -> Printable.of(buffer.name().orElse(UNKNOWN));
            case HeapInfo heap when level == INSPECT -> details(heap);
            case HeapInfo heap -> Printable.of(heap.name());
            default -> null;
        };
    }

    private static boolean all(Class<?> type, Collection<?> some) {
        return !some.isEmpty() && some.stream().allMatch(type::isInstance);
    }

    private static String heaps(Collection<?> heaps, Optional<UsageRecord> adopted) {
        Table table = new Table(
                "NAME", "ID ", "TYPE", "BACKEND", "DMA-BUF", "EMULATES", "STATE", "CAPACITY ", "FREE ", "LARGEST ",
                "BUFFERS ", "LIVE ", "LINGERING ");
        for (Object one : heaps) {
            HeapInfo heap = (HeapInfo) one;
            Map<String, Object> properties = heap.properties();
            table.row(
                    heap.name(),
                    text(properties, HeapProperties.ID),
                    text(properties, HeapProperties.TYPE),
                    text(properties, HeapProperties.BACKEND),
                    Boolean.TRUE.equals(properties.get(HeapProperties.DMABUF)) ? "yes" : "no",
                    text(properties, HeapProperties.EMULATES),
                    heap.state().toString().toLowerCase(Locale.ROOT),
                    bytes(heap.usage().capacity()),
                    bytes(heap.usage().free()) + old(heap),
                    bytes(heap.usage().largestFree()) + old(heap),
                    Long.toString(heap.charged().liveBuffers()),
                    Bytes.text(heap.charged().liveBytes()),
                    Bytes.text(heap.charged().lingeringBytes()));
        }
        adopted.ifPresent(record -> table.row(
                record.heap().orElse(UNKNOWN),
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                UNKNOWN,
                Long.toString(record.liveBuffers()),
                Bytes.text(record.liveBytes()),
                Bytes.text(record.lingeringBytes())));
        return table.toString();
    }

    /** {@return a mark behind a figure that the heap did not give for this listing} */
    private static String old(HeapInfo heap) {
        return heap.usageAge().isZero() ? "" : " (" + Times.age(heap.usageAge()) + " old)";
    }

    private static String usages(Collection<?> usages) {
        List<UsageRecord> records = usages.stream().map(UsageRecord.class::cast).toList();
        ClientNames clients = new ClientNames(
                records.stream().flatMap(record -> record.client().stream()).toList());
        Table table = new Table(
                "HEAP", "CLIENT", "BUFFERS ", "LIVE ", "LINGERING ", "PEAK ", "QUOTA ", "ALLOCATIONS ", "ALLOCATED ",
                "WAITS ", "WAITED ", "LONGEST ", "FAILURES");
        for (UsageRecord record : records) {
            boolean waited = record.waits() > 0;
            table.row(
                    record.heap().orElse(UNKNOWN),
                    record.client().map(clients::of).orElse(UNKNOWN),
                    Long.toString(record.liveBuffers() + record.lingeringBuffers()),
                    Bytes.text(record.liveBytes()),
                    Bytes.text(record.lingeringBytes()),
                    Bytes.text(record.peakBytes()),
                    bytes(record.limit()),
                    Long.toString(record.allocations()),
                    Bytes.text(record.allocatedBytes()),
                    waited ? Long.toString(record.waits()) : UNKNOWN,
                    waited ? Times.wait(record.waited()) : UNKNOWN,
                    waited ? Times.wait(record.longestWait()) : UNKNOWN,
                    record.failures().isEmpty()
                            ? UNKNOWN
                            : record.failures().entrySet().stream()
                                    .map(failed -> failed.getValue() + " " + failed.getKey())
                                    .collect(Collectors.joining(", ")));
        }
        return table.toString();
    }

    private static String whose(UsageRecord usage) {
        return Stream.concat(usage.heap().stream(), usage.client().map(ClientId::toString).stream())
                .collect(Collectors.joining(" of "));
    }

    /** Buffers of all clients, with the innermost call where each was allocated, when that was kept. */
    private static String charged(Collection<?> buffers) {
        ClientNames clients = new ClientNames(
                buffers.stream().map(one -> ((BufferRecord) one).client()).toList());
        Table table = new Table(
                "HEAP", "CLIENT", "NAME", "SIZE ", "INODE ", "REFERENCES ", "MAPPINGS ", "CPU ACCESSES ", "STATE",
                "AGE ", "ALLOCATED AT");
        for (Object one : buffers) {
            BufferRecord buffer = (BufferRecord) one;
            table.row(
                    buffer.heap(),
                    clients.of(buffer.client()),
                    buffer.name().orElse(UNKNOWN),
                    Bytes.text(buffer.size()),
                    buffer.inode().isPresent() ? Long.toString(buffer.inode().getAsLong()) : UNKNOWN,
                    Integer.toString(buffer.references()),
                    Integer.toString(buffer.mappings()),
                    Integer.toString(buffer.cpuAccesses()),
                    buffer.lingering() ? "lingering" : buffer.exported() ? "exported" : "live",
                    Times.age(buffer.age()),
                    buffer.site().isEmpty() ? UNKNOWN : buffer.site().getFirst().toString());
        }
        return table.toString();
    }

    private static String details(HeapInfo heap) {
        Details details = new Details();
        details.add("heap", heap.name());
        details.add("state", heap.state().toString().toLowerCase(Locale.ROOT)
                + heap.reason().map(sentence -> ": " + sentence).orElse(""));
        details.add("bundle", heap.bundle());
        details.add("descriptors", descriptors(Boolean.TRUE.equals(heap.properties().get(HeapProperties.DMABUF))));
        if (!heap.usageAge().isZero()) {
            details.add("usage", "asked in vain for " + Times.age(heap.usageAge()) + "; the figures below are older");
        }
        if (heap.state() == HeapState.SERVING || heap.state() == HeapState.HANGING) {
            heap.usage().capacity().ifPresent(bytes -> details.add("capacity", size(bytes)));
            heap.usage().free().ifPresent(bytes -> details.add("free", size(bytes)));
            heap.usage().largestFree().ifPresent(bytes -> details.add("largest free", size(bytes)));
            for (PoolUsage pool : heap.usage().pools()) {
                details.add(pool.name(), size(pool.bytes()) + " kept ready, as part of what is free; served "
                        + pool.hits() + " of " + (pool.hits() + pool.misses()) + " requests");
            }
            heap.usage()
                    .fragmentation()
                    .ifPresent(share -> details.add("fragmentation", Math.round(100 * share) + " %"));
            heap.usage().quarantined().ifPresent(bytes -> details.add("quarantined", size(bytes)));
        }
        UsageRecord charged = heap.charged();
        details.add("live", charged.liveBuffers() + " buffers, " + size(charged.liveBytes()));
        details.add("lingering", charged.lingeringBuffers() + " buffers, " + size(charged.lingeringBytes())
                + (charged.lingeringBuffers() == 0 ? "" : ", closed here and still with a holder"));
        new TreeMap<>(heap.properties()).forEach((key, value) -> {
            if (key.startsWith("heap.") && !key.equals(HeapProperties.NAME)) {
                details.add(key, text(value));
            }
        });
        return details.toString();
    }

    private static String descriptors(boolean dmabuf) {
        return dmabuf
                ? "dma-buf: devices import it, other processes map it"
                : "no dma-buf: other processes map it, no device imports it";
    }

    private static String size(long bytes) {
        return bytes < 1024 ? bytes + " bytes" : bytes + " bytes (" + Bytes.text(bytes) + ")";
    }

    private static String bytes(OptionalLong bytes) {
        return bytes.isPresent() ? Bytes.text(bytes.getAsLong()) : UNKNOWN;
    }

    private static String text(Map<String, Object> properties, String key) {
        return text(properties.getOrDefault(key, UNKNOWN));
    }

    private static String text(Object value) {
        return switch (value) {
            case Object[] several -> String.join(",", Arrays.stream(several).map(String::valueOf).toList());
            case Collection<?> several -> String.join(",", several.stream().map(String::valueOf).toList());
            default -> value.toString();
        };
    }

    /** Lines of a key and a value. */
    private static final class Details {
        private final StringBuilder text = new StringBuilder();

        Details add(String key, String value) {
            text.append(text.isEmpty() ? "" : "\n")
                    .append(String.format("%-22s%s", Printable.of(key), Printable.of(value)));
            return this;
        }

        @Override
        public String toString() {
            return text.toString();
        }
    }
}
