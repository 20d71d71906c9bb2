// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.ConstraintKind;

/** Cases about service properties, from the table in {@link HeapProperties}. */
final class AnnouncementCases {
    private static final Predicate<Object> BOOLEAN = Boolean.class::isInstance;
    private static final Predicate<Object> TEXT = String.class::isInstance;
    private static final Predicate<Object> INTEGERS = v -> v instanceof Integer
            || v instanceof int[]
            || v instanceof Integer[]
            || v instanceof Collection<?> all && all.stream().allMatch(Integer.class::isInstance);

    /** Condition for the value of each property, if present. */
    private static final Map<String, Predicate<Object>> TYPES = Map.ofEntries(
            Map.entry(HeapProperties.NAME, TEXT),
            Map.entry(HeapProperties.ID, v -> v instanceof Integer id && id >= 0 && id < 64),
            Map.entry(HeapProperties.TYPE, TEXT),
            Map.entry(HeapProperties.PRIORITY, Integer.class::isInstance),
            Map.entry(HeapProperties.DMABUF, BOOLEAN),
            Map.entry(HeapProperties.CONTIGUOUS, BOOLEAN),
            Map.entry(HeapProperties.CONTIGUOUS_MAX, v -> v instanceof Long bytes && bytes > 0),
            Map.entry(HeapProperties.CACHED, BOOLEAN),
            Map.entry(HeapProperties.PROTECTED, BOOLEAN),
            Map.entry(HeapProperties.MAPPABLE, BOOLEAN),
            Map.entry(HeapProperties.EXPORT_READONLY, BOOLEAN),
            Map.entry(HeapProperties.RESTRICTED, BOOLEAN),
            Map.entry(HeapProperties.QUOTA, v -> v instanceof Long bytes && bytes >= 0),
            Map.entry(HeapProperties.ALIGNMENT, v -> v instanceof Long bytes && Long.bitCount(bytes) == 1 && bytes > 0),
            Map.entry(HeapProperties.DMA_BITS, v -> v instanceof Integer bits && bits > 0 && bits <= 64),
            Map.entry(HeapProperties.ADDRESS_MIN, v -> v instanceof Long address && address >= 0),
            Map.entry(HeapProperties.ADDRESS_MAX, v -> v instanceof Long address && address >= 0),
            Map.entry(HeapProperties.SIZE_MAX, v -> v instanceof Long bytes && bytes >= 0),
            Map.entry(HeapProperties.SIZE_GRANULE, v -> v instanceof Long bytes && bytes > 0),
            Map.entry(HeapProperties.SG_ENTRY, v -> v instanceof Long bytes && Long.bitCount(bytes) == 1 && bytes > 0),
            Map.entry(HeapProperties.BACKEND, TEXT),
            Map.entry(HeapProperties.EMULATES, v -> !texts(v).isEmpty()),
            Map.entry(HeapProperties.CONSTRAINT_KINDS, v -> !texts(v).isEmpty()),
            Map.entry(HeapProperties.NUMA, INTEGERS),
            Map.entry(HeapProperties.PEERS, INTEGERS));

    private AnnouncementCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect("the_heap_is_announced_by_a_name_that_can_be_one", () -> {
                    String name = heap.name();
                    check(
                            !name.isEmpty()
                                    && name.length() <= 64
                                    && !name.contains("/")
                                    && !name.contains("..")
                                    && !name.equals("adopted") // reserved for adopted buffers
                                    && name.chars().noneMatch(Character::isWhitespace),
                            "heap.name is '" + heap.properties().get(HeapProperties.NAME) + "'");
                }),
                heap.expect(
                        "each_announced_property_has_its_type_and_range",
                        () -> heap.properties()
                                .forEach((key, value) -> check(
                                        TYPES.getOrDefault(key, any -> true).test(value),
                                        key + " is " + value + " of "
                                                + value.getClass().getName()))),
                heap.expect("what_is_announced_as_real_is_not_announced_as_emulated", () -> {
                    List<String> emulated = texts(heap.properties().get(HeapProperties.EMULATES));
                    check(
                            !(heap.announces(HeapProperties.CONTIGUOUS, false) && emulated.contains("contiguous")),
                            "heap.contiguous=true, and heap.emulates has contiguous");
                    check(
                            !(heap.announces(HeapProperties.PROTECTED, false) && emulated.contains("protected")),
                            "heap.protected=true, and heap.emulates has protected");
                    check(
                            !(heap.announces(HeapProperties.PROTECTED, false)
                                    && heap.announces(HeapProperties.MAPPABLE, true)),
                            "heap.protected=true keeps the CPU out, and heap.mappable is not false");
                }),
                heap.expect("the_lowest_announced_address_is_not_above_the_highest", () -> {
                    long lowest = heap.announced(HeapProperties.ADDRESS_MIN, 0);
                    long highest = heap.announced(HeapProperties.ADDRESS_MAX, Long.MAX_VALUE);
                    check(lowest <= highest, "heap.address.min=" + lowest + ", and heap.address.max=" + highest);
                }),
                heap.expect(
                        "each_announced_kind_of_demand_can_be_parsed",
                        () -> texts(heap.properties().get(HeapProperties.CONSTRAINT_KINDS))
                                .forEach(ConstraintKind::parse)));
    }

    /** Returns the elements of a property of one or several texts; empty for another type. */
    static List<String> texts(Object value) {
        return switch (value) {
            case String one -> List.of(one);
            case String[] several -> List.of(several);
            case Collection<?> several
            when several.stream().allMatch(String.class::isInstance) ->
                several.stream().map(String.class::cast).toList();
            case null, default -> List.of();
        };
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
