// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToLongFunction;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.RegionLayout;
import org.dmabuf.heap.linux.RegionSource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.tck.ContractRequest;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What it costs to make a dma-buf of a range of a region: all of what a buffer's first use as one takes. That is the
 * call to udmabuf; the first bracket, for which the kernel lists the pages; and the rest, the watch for peers. Times
 * are printed and not judged: under emulation they compare with each other and with nothing else.
 */
class ExportCostIT {
    private static final long MIB = 1 << 20;
    private static final long HUGE = 2 * MIB;
    /** The same as {@link RegionIT} takes, whose huge pages stay reserved when it ran before. */
    private static final long SIZE = 40 * MIB;

    private static final int ROUNDS = 15;
    /** Until the code is compiled and the slabs are filled. */
    private static final int WARM_UP = 5;

    private final Syscalls syscalls = Syscalls.linux();
    private final Map<String, Long> nanosInCalls = new ConcurrentHashMap<>();

    /** What one export took, or the medians of several: nanoseconds. */
    private record Cost(long all, long call, long bracket) {
        static Cost median(List<Cost> costs) {
            return new Cost(median(costs, Cost::all), median(costs, Cost::call), median(costs, Cost::bracket));
        }

        private static long median(List<Cost> costs, ToLongFunction<Cost> part) {
            return costs.stream().mapToLong(part).sorted().toArray()[costs.size() / 2];
        }

        String perMib(long mib) {
            return String.format(
                    Locale.ROOT,
                    "%d MiB %.1f (udmabuf %.1f, bracket %.1f)",
                    mib,
                    all / 1e3 / mib,
                    call / 1e3 / mib,
                    bracket / 1e3 / mib);
        }
    }

    @BeforeAll
    static void huge_pages_are_reserved() throws IOException {
        Path pool = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        Files.writeString(pool, Long.toString(SIZE / HUGE));
        assertEquals(SIZE / HUGE, Long.parseLong(Files.readString(pool).strip()));
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, HUGE})
    void each_export_is_a_dma_buf_of_the_size_of_its_range_and_its_cost_is_printed(long pageSize) throws IOException {
        RegionLayout layout = RegionLayout.of(SIZE, "size")
                .withPageSize(pageSize)
                .withExports(RegionLayout.Exports.UDMABUF);
        try (RegionSource source = RegionSource.open("camera", layout, timed(), Headroom.machine())) {
            List<String> sizes = new ArrayList<>();
            for (long mib : new long[] {1, 8, 32}) {
                sizes.add(cost(source, mib * MIB).perMib(mib));
            }
            System.out.println(
                    "export: pages of " + pageSize / 1024 + " KiB, median us/MiB: " + String.join(", ", sizes));
        }
    }

    private Cost cost(RegionSource source, long size) throws IOException {
        List<Cost> costs = new ArrayList<>();
        for (int i = 0; i < WARM_UP + ROUNDS; i++) {
            awaitAllFree(source); // else the zeroing of the one before takes a processor
            costs.add(export(source, size));
        }
        return Cost.median(costs.subList(WARM_UP, costs.size()));
    }

    private Cost export(RegionSource source, long size) throws IOException {
        HeapBuffer buffer = source.allocate(ContractRequest.of(size));
        try {
            nanosInCalls.clear();
            long start = System.nanoTime();
            int fd = buffer.descriptor();
            long all = System.nanoTime() - start;
            assertEquals(size, syscalls.size(fd));
            String file = Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
            assertTrue(file.startsWith("/dmabuf:"), file);
            return new Cost(all, nanosInCalls.get("udmabufCreate"), nanosInCalls.get("dmaBufSync"));
        } finally {
            buffer.release();
        }
    }

    /** The kernel, with a clock beside it. */
    private Syscalls timed() {
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (_, call, arguments) -> {
                    long start = System.nanoTime();
                    try {
                        return call.invoke(syscalls, arguments);
                    } finally {
                        nanosInCalls.merge(call.getName(), System.nanoTime() - start, Long::sum);
                    }
                });
    }

    private static void awaitAllFree(RegionSource source) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (source.usage().free().orElseThrow() != SIZE) {
            assertTrue(System.nanoTime() < end, "what was released is not free within a minute");
            Thread.onSpinWait();
        }
    }
}
