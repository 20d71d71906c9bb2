// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Cases about many buffers: in sequence, at once, released in any order; and about the heap's usage report.
 */
final class LifeCases {
    private static final int IN_A_ROW = 1024;
    private static final long[] SIZES = {4 << 10, 64 << 10, 1 << 20, 2 << 20};

    private static final int MIXED = 64;

    private static final long TRIMMED = 64 << 10;
    private static final long ASKED = 1 << 20;

    private LifeCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        List<ContractCase> cases = new ArrayList<>();
        for (long size : SIZES) {
            cases.add(heap.expect(
                    IN_A_ROW + "_buffers_of_" + size + "_bytes_come_and_go",
                    () -> comeAndGo(heap, size),
                    heap.unlessHolds(1, size)));
            cases.add(heap.expect(
                    IN_A_ROW + "_buffers_of_" + size + "_bytes_come_are_written_and_go",
                    () -> comeAreWrittenAndGo(heap, size),
                    heap.unlessMappable().or(() -> heap.unlessHolds(1, size))));
        }
        cases.add(heap.expect(
                "buffers_are_released_in_any_order",
                () -> anyOrder(heap),
                heap.unlessHolds(MIXED + MIXED / 2, MIXED * 1000L)));
        cases.add(heap.expect(
                "a_name_of_31_bytes_is_taken",
                () -> heap.allocate(HeapRequest.of(1).withName("frame 7, " + "\u20ac".repeat(6) + " end"))
                        .close()));
        cases.add(heap.expect("a_request_of_a_client_is_served", () -> {
            AllocationRequest request = AllocationRequest.of(1);
            heap.allocate(HeapRequest.of(request, Optional.of(ClientId.of("uid", "1000"))))
                    .close();
        }));
        cases.add(heap.expect(
                "the_usage_makes_sense_however_often_it_is_asked", () -> usage(heap), heap.unlessHolds(1, ASKED)));
        cases.add(heap.expect(
                "trimming_gives_back_no_less_than_nothing_and_no_live_memory",
                () -> trim(heap),
                heap.unlessMappable().or(() -> heap.unlessHolds(2, TRIMMED))));
        return cases;
    }

    private static void comeAndGo(HeapUnderTest heap, long size) {
        for (int i = 0; i < IN_A_ROW; i++) {
            heap.allocate(HeapRequest.of(size)).close();
        }
    }

    private static void comeAreWrittenAndGo(HeapUnderTest heap, long size) {
        for (int i = 0; i < IN_A_ROW; i++) {
            try (HeldBuffer buffer = heap.allocate(HeapRequest.of(size))) {
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                buffer.begin(Access.READ_WRITE);
                for (long offset : new long[] {0, size - 1}) {
                    if (mapping.get(ValueLayout.JAVA_BYTE, offset) != 0) {
                        throw new AssertionError(buffer + ", the " + i + "th, is not zero at " + offset);
                    }
                    mapping.set(ValueLayout.JAVA_BYTE, offset, (byte) 0xff);
                }
                buffer.end(Access.READ_WRITE);
                buffer.unmap(mapping);
            }
        }
    }

    private static void anyOrder(HeapUnderTest heap) {
        List<HeldBuffer> buffers = new ArrayList<>();
        try {
            for (int i = 0; i < MIXED; i++) {
                List<HeapRequest> kinds = heap.kinds(1 + i * 1000L);
                buffers.add(heap.allocate(kinds.get(i % kinds.size())));
            }
            Collections.shuffle(buffers, new Random(7)); // a fixed seed, for the same order on every run
            buffers.subList(0, MIXED / 2).forEach(HeldBuffer::close);
            for (int i = 0; i < MIXED / 2; i++) {
                buffers.add(heap.allocate(HeapRequest.of(1 + i * 3000L)));
            }
            Collections.shuffle(buffers, new Random(8));
        } finally {
            buffers.forEach(HeldBuffer::close);
        }
    }

    private static void usage(HeapUnderTest heap) {
        try (HeldBuffer buffer = heap.allocate(HeapRequest.of(ASKED))) {
            for (int i = 0; i < 1000; i++) {
                HeapUsage usage = heap.exporter().usage();
                if (usage == null) {
                    throw new AssertionError("usage() returned null");
                }
                long capacity = usage.capacity().orElse(Long.MAX_VALUE);
                long free = usage.free().orElse(capacity);
                long largest = usage.largestFree().orElse(0);
                if (capacity < 0 || free < 0 || largest < 0 || free > capacity || largest > free) {
                    throw new AssertionError("capacity " + usage.capacity() + ", free " + usage.free() + ", largest "
                            + usage.largestFree() + " beside " + buffer);
                }
            }
        }
    }

    private static void trim(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(TRIMMED)) {
            heap.allocate(request).close(); // leaves memory to trim, if the heap has a pool
            try (HeldBuffer buffer = heap.allocate(request)) {
                buffer.fill(0x5a);
                for (long bytes : new long[] {0, 1, Long.MAX_VALUE}) {
                    long given = heap.exporter().trim(bytes);
                    if (given < 0) {
                        throw new AssertionError("trim(" + bytes + ") returned " + given);
                    }
                }
                buffer.assertFilledWith(0x5a);
                heap.allocate(request).close();
            }
        }
    }
}
