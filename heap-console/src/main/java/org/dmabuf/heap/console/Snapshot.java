// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.process.Holder;
import org.dmabuf.heap.linux.process.SharedFile;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.RegionMap;

/** Parts of the page's JSON. Sizes are in bytes. */
final class Snapshot {
    private Snapshot() {}

    /**
     * {@return a part with printable texts: foreign names cannot change the direction of writing or be invalid UTF-8}
     */
    static Object printable(Object part) {
        return switch (part) {
            case String text -> Printable.of(text);
            case List<?> list -> list.stream().map(Snapshot::printable).toList();
            case Map<?, ?> map -> {
                Map<Object, Object> all = new LinkedHashMap<>();
                map.forEach((name, value) -> all.put(name, printable(value)));
                yield all;
            }
            default -> part;
        };
    }

    static Map<String, Object> of(HeapInfo heap) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", heap.name());
        map.put("state", heap.state().toString().toLowerCase(Locale.ROOT));
        heap.reason().ifPresent(sentence -> map.put("reason", sentence));
        heap.usage().capacity().ifPresent(bytes -> map.put("capacity", bytes));
        heap.usage().free().ifPresent(bytes -> map.put("free", bytes));
        map.putAll(of(heap.charged()));
        return map;
    }

    static Map<String, Object> of(UsageRecord record) {
        Map<String, Object> map = new LinkedHashMap<>();
        record.client().ifPresent(client -> map.put("client", client.toString()));
        map.put("live", record.liveBytes());
        map.put("lingering", record.lingeringBytes());
        map.put("peak", record.peakBytes());
        record.limit().ifPresent(bytes -> map.put("limit", bytes));
        map.put(
                "failures",
                record.failures().values().stream().mapToLong(Long::longValue).sum());
        return map;
    }

    static Map<String, Object> of(String heap, RegionMap region) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", heap);
        map.put("size", region.size());
        List<Map<String, Object>> stretches = new ArrayList<>();
        region.forEachStretch(stretch -> stretches.add(stretch.toMap()));
        map.put("stretches", stretches);
        return map;
    }

    static Map<String, Object> of(BufferRecord buffer, Optional<SharedFile> file) {
        Map<String, Object> map = new LinkedHashMap<>();
        buffer.name().ifPresent(name -> map.put("name", name));
        map.put("heap", buffer.heap());
        map.put("client", buffer.client().toString());
        map.put("size", buffer.size());
        map.put("state", buffer.lingering() ? "lingering" : buffer.exported() ? "exported" : "live");
        map.put("age", buffer.age().toSeconds());
        map.put("unattributed", file.map(SharedFile::unattributed).orElse(0L));
        map.put(
                "holders",
                file.map(SharedFile::holders).orElse(List.of()).stream()
                        .map(Snapshot::of)
                        .toList());
        return map;
    }

    private static Map<String, Object> of(Holder holder) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("pid", holder.pid());
        map.put("process", holder.name());
        map.put("descriptors", holder.descriptors().size());
        map.put("mappings", holder.mappings());
        return map;
    }
}
