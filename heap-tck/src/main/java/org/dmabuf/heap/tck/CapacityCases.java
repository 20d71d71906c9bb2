// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about the limits of a heap: its capacity, and the largest size and the granule of its buffers. */
final class CapacityCases {
    /** Most bytes that a case takes to fill a heap, or to try a size that must be refused. */
    private static final long MOST = 64L << 20;

    private static final int PARTS = 16;

    private CapacityCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect(
                        "a_full_heap_refuses_as_a_shortage_and_holds_as_much_again_after_a_release",
                        () -> fillTwice(heap),
                        unlessCanBeFilled(heap)),
                heap.expect(
                        "a_size_above_the_announced_largest_is_refused",
                        () -> heap.assertRefused(
                                HeapRequest.of(largest(heap) + Bytes.PAGE), Errno.ENOMEM, Errno.EINVAL),
                        unlessLargest(heap)),
                heap.expect(
                        "a_buffer_has_a_multiple_of_the_announced_granule",
                        () -> sizesAreWhole(heap),
                        unlessGranule(heap).or(() -> heap.unlessHolds(1, granule(heap) + 1))));
    }

    private static Optional<String> unlessCanBeFilled(HeapUnderTest heap) {
        long capacity = heap.usage().capacity().orElse(Long.MAX_VALUE);
        if (capacity == Long.MAX_VALUE) {
            return Optional.of("the heap reports no capacity");
        }
        return capacity > MOST
                ? Optional.of("the heap holds " + Bytes.text(capacity) + ", more than the " + Bytes.text(MOST)
                        + " that this case takes")
                : heap.ifClientsWouldSuffer();
    }

    private static void fillTwice(HeapUnderTest heap) {
        long capacity = heap.usage().capacity().orElseThrow();
        HeapRequest request = HeapRequest.of(Math.min(
                Math.max(Bytes.PAGE, capacity / PARTS), heap.announced(HeapProperties.SIZE_MAX, Long.MAX_VALUE)));
        heap.trim();
        int first = countUntilFull(heap, request, capacity);
        heap.trim();
        heap.awaitRoom(first, request.size());
        int second = countUntilFull(heap, request, capacity);
        if (second < first) {
            throw new AssertionError(
                    "the heap held " + first + " buffers for " + request + ", and after their release " + second);
        }
    }

    private static int countUntilFull(HeapUnderTest heap, HeapRequest request, long capacity) {
        List<HeldBuffer> buffers = new ArrayList<>();
        try {
            while (buffers.size() * request.size() <= capacity) {
                buffers.add(heap.allocate(request));
            }
        } catch (HeapException e) {
            Sentence.assertErrno(Errno.ENOMEM, e);
            Sentence.assertNames(heap.name(), request.size(), e);
            return buffers.size();
        } finally {
            buffers.forEach(HeldBuffer::close);
        }
        throw new AssertionError(
                buffers.size() + " buffers for " + request + " are more than the capacity of " + capacity + " bytes");
    }

    private static long largest(HeapUnderTest heap) {
        return heap.announced(HeapProperties.SIZE_MAX, 0);
    }

    private static Optional<String> unlessLargest(HeapUnderTest heap) {
        if (!heap.properties().containsKey(HeapProperties.SIZE_MAX)) {
            return Optional.of("heap.size.max is absent: no size is too large for the back end");
        }
        return largest(heap) > MOST
                ? Optional.of("heap.size.max=" + largest(heap) + ": a heap without a check would take more than "
                        + Bytes.text(MOST))
                : heap.ifClientsWouldSuffer();
    }

    private static long granule(HeapUnderTest heap) {
        return heap.announced(HeapProperties.SIZE_GRANULE, Bytes.PAGE);
    }

    private static Optional<String> unlessGranule(HeapUnderTest heap) {
        return heap.properties().containsKey(HeapProperties.SIZE_GRANULE)
                ? Optional.empty()
                : Optional.of("heap.size.granule is absent: any size is right");
    }

    private static void sizesAreWhole(HeapUnderTest heap) {
        for (long size : new long[] {1, granule(heap), granule(heap) + 1}) {
            for (HeapRequest request : heap.kinds(size)) {
                try (HeldBuffer buffer = heap.allocate(request)) {
                    if (buffer.size() % granule(heap) != 0) {
                        throw new AssertionError(buffer + " has " + buffer.size()
                                + " bytes, and the heap announces heap.size.granule=" + granule(heap));
                    }
                }
            }
        }
    }
}
