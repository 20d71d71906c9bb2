// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.PoolUsage;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.spi.RegionMap;

/**
 * JSON objects that the listing commands print with {@code --json}. The README of this bundle lists every name; the
 * names are stable. Sizes are in bytes, durations in nanoseconds. An unknown value is left out.
 */
final class Json {
    private Json() {}

    /** {@return a heap: state, reported usage, charges, and announced properties} */
    static Map<String, Object> of(HeapInfo heap) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", heap.name());
        map.put("state", heap.state().toString().toLowerCase(Locale.ROOT));
        heap.reason().ifPresent(sentence -> map.put("reason", sentence));
        heap.plainRefusal().ifPresent(sentence -> map.put("plainRefusal", sentence));
        map.put("bundle", heap.bundle());
        map.put("usage", of(heap.usage()));
        map.put("usageAge", heap.usageAge().toNanos());
        map.put("charged", of(heap.charged()));
        Map<String, Object> properties = new LinkedHashMap<>();
        new TreeMap<>(heap.properties()).forEach((key, value) -> {
            if (key.startsWith("heap.") && value != null) {
                properties.put(key, PropertyValue.json(value));
            }
        });
        map.put("properties", properties);
        return map;
    }

    /** {@return the heaps, followed by adopted memory, which has only a name and its charges} */
    static List<Map<String, Object>> of(List<HeapInfo> heaps, Optional<UsageRecord> adopted) {
        List<Map<String, Object>> all =
                new ArrayList<>(heaps.stream().map(Json::of).toList());
        adopted.ifPresent(record -> {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("name", record.heap().orElseThrow());
            map.put("charged", of(record));
            all.add(map);
        });
        return all;
    }

    private static Map<String, Object> of(HeapUsage usage) {
        Map<String, Object> map = new LinkedHashMap<>();
        usage.capacity().ifPresent(bytes -> map.put("capacity", bytes));
        usage.free().ifPresent(bytes -> map.put("free", bytes));
        usage.largestFree().ifPresent(bytes -> map.put("largestFree", bytes));
        usage.quarantined().ifPresent(bytes -> map.put("quarantined", bytes));
        usage.inLargeFolios().ifPresent(bytes -> map.put("inLargeFolios", bytes));
        usage.fragmentation().ifPresent(share -> map.put("fragmentation", share));
        if (!usage.pools().isEmpty()) {
            map.put("pools", usage.pools().stream().map(Json::of).toList());
        }
        return map;
    }

    private static Map<String, Object> of(PoolUsage pool) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("name", pool.name());
        map.put("bytes", pool.bytes());
        map.put("hits", pool.hits());
        map.put("misses", pool.misses());
        return map;
    }

    /** {@return the charges, with the location of a client's bundle} */
    static Map<String, Object> of(UsageRecord record) {
        return with(record.toMap(), record.client());
    }

    /** {@return the charges of a heap, with its bytes in large folios} */
    static Map<String, Object> of(UsageRecord record, OptionalLong inLargeFolios) {
        Map<String, Object> map = of(record);
        inLargeFolios.ifPresent(bytes -> map.put("inLargeFolios", bytes));
        return map;
    }

    /** {@return the charges of a client, with its origins} */
    static Map<String, Object> of(UsageRecord record, List<String> origins) {
        Map<String, Object> map = of(record);
        if (!origins.isEmpty()) {
            map.put("origins", origins);
        }
        return map;
    }

    /** {@return a buffer, with the location of its client's bundle} */
    static Map<String, Object> of(BufferRecord buffer) {
        return with(buffer.toMap(), Optional.of(buffer.client()));
    }

    private static Map<String, Object> with(Map<String, Object> record, Optional<ClientId> client) {
        Map<String, Object> map = new LinkedHashMap<>(record);
        client.flatMap(ClientId::location).ifPresent(place -> map.put("location", place));
        return map;
    }

    /** {@return a snapshot of a region, stretch by stretch} */
    static Map<String, Object> of(String heap, RegionMap region) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", heap);
        map.put("size", region.size());
        List<Map<String, Object>> stretches = new ArrayList<>();
        region.forEachStretch(stretch -> stretches.add(with(stretch.toMap(), stretch.client())));
        map.put("stretches", stretches);
        return map;
    }
}
