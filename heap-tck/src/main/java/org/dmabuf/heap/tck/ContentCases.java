// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about the size of a new buffer and about the absence of earlier data in it. */
final class ContentCases {
    private static final long MIB = 1 << 20;
    private static final long[] SIZES = {1, 4095, 4096, 4097, 64 << 10, MIB, 2 * MIB, 16 * MIB};
    private static final int DIRTY_BUFFERS = 32;

    private ContentCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        List<ContractCase> cases = new ArrayList<>();
        for (long size : SIZES) {
            cases.add(heap.expect(
                    "a_buffer_of_" + size + "_bytes_has_that_many_or_more_and_always_as_many",
                    () -> sizeIsEnough(heap, size),
                    heap.unlessHolds(1, size)));
        }
        for (long size : SIZES) {
            cases.add(heap.expect(
                    "a_new_buffer_of_" + size + "_bytes_is_all_zero",
                    () -> newIsZero(heap, size),
                    heap.unlessMappable().or(() -> heap.unlessHolds(1, size))));
        }
        for (long size : new long[] {4096, MIB}) {
            cases.add(heap.expect(
                    "what_" + DIRTY_BUFFERS + "_buffers_of_" + size + "_bytes_held_never_shows_in_new_ones",
                    () -> dirtIsGone(heap, size),
                    heap.unlessMappable().or(() -> heap.unlessHolds(DIRTY_BUFFERS, size))));
        }
        return cases;
    }

    private static void sizeIsEnough(HeapUnderTest heap, long size) {
        for (HeapRequest request : heap.kinds(size)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                long first = buffer.size();
                if (first < size || buffer.size() != first) {
                    throw new AssertionError(buffer + " has " + first + " bytes, then " + buffer.size());
                }
            }
        }
    }

    private static void newIsZero(HeapUnderTest heap, long size) {
        for (HeapRequest request : heap.kinds(size)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                buffer.assertFilledWith(0);
            }
        }
    }

    private static void dirtIsGone(HeapUnderTest heap, long size) {
        for (HeapRequest request : heap.kinds(size)) {
            withBuffers(heap, request, buffer -> buffer.fill(0xff));
            withBuffers(heap, request, buffer -> buffer.assertFilledWith(0));
        }
    }

    /** Allocates all of them at once, so that each has memory of its own. */
    private static void withBuffers(HeapUnderTest heap, HeapRequest request, Consumer<HeldBuffer> use) {
        heap.awaitRoom(DIRTY_BUFFERS, request.size());
        List<HeldBuffer> buffers = new ArrayList<>();
        try {
            for (int i = 0; i < DIRTY_BUFFERS; i++) {
                buffers.add(heap.allocate(request));
                use.accept(buffers.getLast());
            }
        } finally {
            buffers.forEach(HeldBuffer::close);
        }
    }
}
