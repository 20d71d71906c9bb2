// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Benchmark of dma-bufs on a kernel that has heaps. It measures the allocation and release of a buffer from each heap
 * of the kernel and from the region that emulates a contiguous heap. It also measures the creation of a dma-buf for a
 * range of a region. {@code bench/dma-buf-costs} starts it in the guest, whose times can only be compared with each
 * other.
 */
public final class DmaBufCosts {
    private static final long MIB = 1 << 20;
    private static final long HUGE = 2 * MIB;
    private static final long[] SIZES = {1, 8, 32};
    private static final long REGION = 40 * MIB;

    private static final int ROUNDS = 15;
    /** Rounds before the measurement, until the code is compiled and the slabs are filled. */
    private static final int WARM_UP = 5;

    private final Syscalls syscalls = Syscalls.linux();
    private final Map<String, Long> nanosInCalls = new ConcurrentHashMap<>();

    private DmaBufCosts() {}

    /** The duration of a buffer's first use as a dma-buf, and the durations of two calls in it, in nanoseconds. */
    private record Export(long all, long udmabuf, long bracket) {}

    /**
     * Prints the medians to standard output, as the result of this command.
     *
     * @param arguments none
     * @throws IOException when the kernel's heaps cannot be listed
     */
    public static void main(String[] arguments) throws IOException {
        DmaBufCosts costs = new DmaBufCosts();
        try (Stream<Path> nodes = Files.list(Path.of(DmaHeapSource.FOLDER))) {
            for (Path node : nodes.sorted().toList()) {
                String name = node.getFileName().toString();
                costs.allocations(node.toString(), DmaHeapSource.openContiguous("bench", name, costs.syscalls));
            }
        }
        RegionLayout layout =
                RegionLayout.of(REGION, "size").withAlignmentCap(MIB).withExports(RegionLayout.Exports.UDMABUF);
        costs.allocations("emulated", EmulatedCmaSource.open("bench", layout, costs.syscalls, Headroom.machine()));
        for (long pageSize : new long[] {Bytes.PAGE, HUGE}) {
            costs.exports(pageSize);
        }
    }

    private void allocations(String heap, MemorySource source) {
        try (source) {
            List<String> medians = new ArrayList<>();
            for (long mib : SIZES) {
                List<Long> nanos = new ArrayList<>();
                for (int i = 0; i < WARM_UP + ROUNDS; i++) {
                    long start = System.nanoTime();
                    source.allocate(HeapRequest.of(mib * MIB)).release();
                    nanos.add(System.nanoTime() - start);
                }
                medians.add(mib + " MiB " + perMib(nanos, Long::longValue, mib));
            }
            System.out.println(heap + ", allocate and release, median us/MiB: " + String.join(", ", medians));
        }
    }

    /**
     * Measures the call to udmabuf, the first CPU access, for which the kernel lists the pages, and the tracking of
     * holders.
     */
    private void exports(long pageSize) {
        RegionLayout layout =
                RegionLayout.of(REGION, "size").withPageSize(pageSize).withExports(RegionLayout.Exports.UDMABUF);
        try (RegionSource source = RegionSource.open("bench", layout, timed(), Headroom.machine())) {
            List<String> medians = new ArrayList<>();
            for (long mib : SIZES) {
                List<Export> costs = new ArrayList<>();
                for (int i = 0; i < WARM_UP + ROUNDS; i++) {
                    awaitAllFree(source); // otherwise the zeroing of the previous buffer occupies a processor
                    costs.add(export(source, mib * MIB));
                }
                medians.add(mib + " MiB " + perMib(costs, Export::all, mib) + " (udmabuf "
                        + perMib(costs, Export::udmabuf, mib) + ", bracket " + perMib(costs, Export::bracket, mib)
                        + ")");
            }
            System.out.println("export of a range, pages of " + pageSize / 1024 + " KiB, median us/MiB: "
                    + String.join(", ", medians));
        }
    }

    private Export export(RegionSource source, long size) {
        HeapBuffer buffer = source.allocate(HeapRequest.of(size));
        try {
            nanosInCalls.clear();
            long start = System.nanoTime();
            buffer.descriptor();
            long all = System.nanoTime() - start;
            return new Export(all, nanosInCalls.get("udmabufCreate"), nanosInCalls.get("dmaBufSync"));
        } finally {
            buffer.release();
        }
    }

    private static <T> String perMib(List<T> costs, ToLongFunction<T> part, long mib) {
        long[] nanos = costs.subList(WARM_UP, costs.size()).stream()
                .mapToLong(part)
                .sorted()
                .toArray();
        return String.format(Locale.ROOT, "%.1f", nanos[ROUNDS / 2] / 1e3 / mib);
    }

    /** System calls of the kernel with a measurement of their durations. */
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
        while (source.usage().free().orElseThrow() != REGION) {
            Thread.onSpinWait();
        }
    }
}
