// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.dmabuf.heap.HeapProperties;

/**
 * Random values, demands and heaps, near to each other so that many of them meet, conflict or are equal. The seed is
 * printed by the test and set with {@code -Dconstraints.seed=SEED}.
 */
public final class RandomConstraints {
    /** A vendor's kind of each operator. */
    public static final List<ConstraintKind> VENDORS = List.of(
            ConstraintKind.range("acme.window", "acme.window"),
            ConstraintKind.multiple("acme.step", "acme.step"),
            ConstraintKind.atMost("acme.most", "acme.most"),
            ConstraintKind.atLeast("acme.least", "acme.least"),
            ConstraintKind.oneOf("acme.bank", "acme.bank"),
            ConstraintKind.noneOf("acme.not-bank", "acme.bank"),
            ConstraintKind.must("acme.fast", "acme.fast"));

    /** The standard kinds, those of the vendor, and an unknown one. */
    public static final List<ConstraintKind> KINDS = kinds();

    private static final List<String> DEVICES = List.of(
            "/dev/video0", "/dev/video1", "/dev/dri/card0", "/dev/npu", "/dev/dsp", "encoder", "gpu", "display");

    private final Random random;

    public RandomConstraints(long seed) {
        random = new Random(seed);
    }

    /** {@return the seed that a property sets, otherwise a random one, which it prints} */
    public static long seed() {
        long seed = Long.getLong("constraints.seed", System.nanoTime());
        System.out.println("constraints: repeat with -Dconstraints.seed=" + seed);
        return seed;
    }

    private static List<ConstraintKind> kinds() {
        List<ConstraintKind> kinds = new ArrayList<>(List.of(
                ConstraintKind.ADDRESS,
                ConstraintKind.SG,
                ConstraintKind.ALIGNMENT,
                ConstraintKind.BOUNDARY,
                ConstraintKind.SIZE_MIN,
                ConstraintKind.SIZE_MAX,
                ConstraintKind.GRANULE,
                ConstraintKind.BUFFERS,
                ConstraintKind.CPU,
                ConstraintKind.NUMA,
                ConstraintKind.HEAP,
                ConstraintKind.NOT_HEAP,
                ConstraintKind.DMABUF,
                ConstraintKind.PROTECTED,
                ConstraintKind.READONLY,
                ConstraintKind.MAPPABLE,
                ConstraintKind.named("unheard-of")));
        kinds.addAll(VENDORS);
        return List.copyOf(kinds);
    }

    public ConstraintKind kind() {
        return one(KINDS);
    }

    public boolean chance(int in) {
        return random.nextInt(in) == 0;
    }

    public int below(int bound) {
        return random.nextInt(bound);
    }

    public <T> T one(List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    /** {@return a text that the kind accepts} */
    public String text(ConstraintKind kind) {
        if (chance(12) && !kind.isUnknown()) {
            return "any";
        }
        return switch (kind.operator()) {
            case RANGE -> range();
            case MULTIPLE ->
                one(List.of("1", "3", "4K", "48K", "64K", "1M", "2M", "2305843009213693951", "1099511627776"));
            case AT_MOST, AT_LEAST ->
                kind.equals(ConstraintKind.BOUNDARY)
                        ? one(List.of("1", "4K", "64K", "1M", "0x100000000"))
                        : one(List.of("0", "1", "4K", "100000", "1M", "8M", "9223372036854775807"));
            case ONE_OF, NONE_OF -> words(kind);
            case MUST -> "true";
            case LISTS -> lists();
            case UNKNOWN -> one(List.of("any", "7", "a,b", "x=y"));
        };
    }

    private String range() {
        if (chance(2)) {
            return (1 + random.nextInt(64)) + "bit";
        }
        long low = random.nextInt(8) * 0x1000_0000L;
        return "0x" + Long.toHexString(low) + "-" + (low + random.nextInt(1, 8) * 0x1000_0000L);
    }

    private String words(ConstraintKind kind) {
        List<String> from = new ArrayList<>(
                kind.equals(ConstraintKind.CPU)
                        ? List.of("cached", "uncached", "none")
                        : List.of("0", "1", "2", "3", "a%2Cb"));
        while (from.size() > 1 && chance(2)) {
            from.remove(random.nextInt(from.size()));
        }
        java.util.Collections.shuffle(from, random);
        return String.join(",", from);
    }

    private String lists() {
        List<String> pairs = new ArrayList<>();
        do {
            pairs.add(one(List.of(
                    "contiguous", "1xany", "1x64K", "10xany", "64xany", "64x64K", "256x64K", "256x4096", "300x2M")));
        } while (chance(2));
        return String.join(",", pairs);
    }

    public ConstraintValue value(ConstraintKind kind) {
        return ConstraintValue.parse(kind, text(kind));
    }

    public Demand demand() {
        return demand(kind());
    }

    public Demand demand(ConstraintKind kind) {
        return Demand.of(one(DEVICES), value(kind), chance(3) ? "" : "line " + random.nextInt(100) + "  of a file");
    }

    /** {@return demands of some devices, without unknown kinds} */
    public List<Demand> demands(int most) {
        List<Demand> demands = new ArrayList<>();
        int count = random.nextInt(most + 1);
        while (demands.size() < count) {
            ConstraintKind kind = kind();
            if (!kind.isUnknown()) {
                demands.add(demand(kind));
            }
        }
        return demands;
    }

    public long size() {
        return one(List.of(1L, 4096L, 100_000L, 614_400L, 1L << 20, 8L << 20, 12_441_600L));
    }

    /** {@return service properties of a heap, without a name} */
    public Map<String, Object> heap() {
        Map<String, Object> heap = new HashMap<>();
        put(heap, HeapProperties.NAME, List.of("0", "1", "2"));
        put(heap, HeapProperties.DMABUF, List.of(true, true, false));
        put(heap, HeapProperties.CONTIGUOUS, List.of(true, false));
        put(heap, HeapProperties.CONTIGUOUS_MAX, List.of(4096L, 65_536L, 2L << 20));
        put(heap, HeapProperties.SG_ENTRY, List.of(4096L, 65_536L));
        put(heap, HeapProperties.ALIGNMENT, List.of(4096L, 65_536L, 1L << 20));
        put(heap, HeapProperties.CACHED, List.of(true, false));
        put(heap, HeapProperties.PROTECTED, List.of(true, false));
        put(heap, HeapProperties.MAPPABLE, List.of(true, false));
        put(heap, HeapProperties.EXPORT_READONLY, List.of(true, false));
        put(heap, HeapProperties.DMA_BITS, List.of(30, 32, 40));
        put(heap, HeapProperties.SIZE_MAX, List.of(1L << 20, 1L << 30));
        put(heap, HeapProperties.SIZE_GRANULE, List.of(65_536L, 2L << 20));
        put(heap, HeapProperties.NUMA, List.of(0, 1, List.of(0, 1)));
        put(heap, HeapProperties.EMULATES, List.of("contiguous", List.of("protected")));
        put(heap, "acme.step", List.of(3L, 48L << 10, 1L << 20));
        put(heap, "acme.most", List.of(0L, 4096L, 1L << 20));
        put(heap, "acme.least", List.of(0L, 4096L, 1L << 20));
        put(heap, "acme.bank", List.of("0", 1, List.of("2", "3"), "a,b"));
        put(heap, "acme.fast", List.of(true, false));
        window(heap, "heap.address");
        window(heap, "acme.window");
        return heap;
    }

    private void put(Map<String, Object> heap, String name, List<?> values) {
        if (chance(2)) {
            heap.put(name, one(values));
        }
    }

    private void window(Map<String, Object> heap, String name) {
        if (chance(2)) {
            long low = random.nextInt(8) * 0x1000_0000L;
            heap.put(name + ".min", low);
            heap.put(name + ".max", low + random.nextInt(1, 4) * 0x1000_0000L - 1);
        }
    }
}
