// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases that compare service properties with the memory: kind of the descriptors, physical runs and addresses. */
final class TruthCases {
    private static final long SMALL = 64 << 10;
    private static final long LARGE = 1 << 20;
    private static final int ADDRESS_BITS = 63;

    private TruthCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect(
                        "a_descriptor_is_a_dma_buf_if_and_only_if_the_heap_announces_it", () -> dmaBufsAreReal(heap)),
                heap.expect(
                        "memory_has_the_announced_physical_runs",
                        () -> runsAreReal(heap),
                        unlessRuns(heap)
                                .or(() -> heap.unlessHolds(1, LARGE))
                                .or(() -> PhysicalPages.unlessVisible(heap))),
                heap.expect(
                        "memory_begins_at_a_physical_address_of_the_requested_alignment",
                        () -> alignmentsAreReal(heap),
                        unlessAlignments(heap).or(() -> PhysicalPages.unlessVisible(heap))),
                heap.expect(
                        "physical_addresses_are_within_the_announced_range",
                        () -> addressesAreReal(heap),
                        unlessAddresses(heap).or(() -> PhysicalPages.unlessVisible(heap))));
    }

    private static Optional<String> unlessRuns(HeapUnderTest heap) {
        return run(heap) > Bytes.PAGE
                ? Optional.empty()
                : Optional.of("heap.contiguous=false: a run may be as short as a page");
    }

    private static Optional<String> unlessAddresses(HeapUnderTest heap) {
        return Stream.of(HeapProperties.ADDRESS_MIN, HeapProperties.ADDRESS_MAX, HeapProperties.DMA_BITS)
                        .anyMatch(heap.properties()::containsKey)
                ? Optional.empty()
                : Optional.of("heap.address.min, heap.address.max and heap.dma.bits are absent: any address is right");
    }

    private static Optional<String> unlessAlignments(HeapUnderTest heap) {
        return heap.alignment() > Bytes.PAGE
                ? Optional.empty()
                : Optional.of("heap.alignment=" + heap.alignment() + ": every page is aligned");
    }

    /** Returns the announced bytes of a physical run. */
    private static long run(HeapUnderTest heap) {
        return heap.announces(HeapProperties.CONTIGUOUS, false)
                ? Long.MAX_VALUE
                : heap.announced(HeapProperties.CONTIGUOUS_MAX, Bytes.PAGE);
    }

    private static void dmaBufsAreReal(HeapUnderTest heap) throws IOException {
        boolean announced = heap.announces(HeapProperties.DMABUF, false);
        for (HeapRequest request : heap.exportableKinds(SMALL)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                // The kernel writes the exporter's name for a dma-buf only.
                boolean real = buffer.descriptorInfo("exp_name").isPresent();
                if (real != announced) {
                    throw new AssertionError(buffer + " has a descriptor that is " + (real ? "a" : "not a")
                            + " dma-buf, and the heap announces heap.dmabuf=" + announced);
                }
            }
        }
    }

    private static void runsAreReal(HeapUnderTest heap) throws IOException {
        for (long size : new long[] {SMALL, LARGE}) {
            for (HeapRequest request : heap.kinds(size)) {
                try (HeldBuffer buffer = heap.allocate(request)) {
                    PhysicalPages pages = PhysicalPages.of(buffer.map(Access.READ_WRITE));
                    long run = Math.min(run(heap), buffer.size());
                    pages.breakWithin(run).ifPresent(offset -> {
                        throw new AssertionError(buffer + " has runs of " + run
                                + " bytes by its announcement, but one ends at byte " + offset);
                    });
                }
            }
        }
    }

    private static void alignmentsAreReal(HeapUnderTest heap) throws IOException {
        for (long alignment = 2 * Bytes.PAGE; alignment <= heap.alignment(); alignment *= 2) {
            for (HeapRequest request : heap.kinds(SMALL)) {
                try (HeldBuffer buffer = heap.allocate(request.withAlignment(alignment))) {
                    long address =
                            PhysicalPages.of(buffer.map(Access.READ_WRITE)).addresses()[0];
                    if (address % alignment != 0) {
                        throw new AssertionError("%s begins at 0x%x, which is not a multiple of its alignment"
                                .formatted(buffer, address));
                    }
                }
            }
        }
    }

    private static void addressesAreReal(HeapUnderTest heap) throws IOException {
        long lowest = heap.announced(HeapProperties.ADDRESS_MIN, 0);
        long highest = heap.announced(HeapProperties.ADDRESS_MAX, Long.MAX_VALUE);
        if (heap.properties().get(HeapProperties.DMA_BITS) instanceof Integer bits && bits < ADDRESS_BITS) {
            highest = Math.min(highest, (1L << bits) - 1);
        }
        for (HeapRequest request : heap.kinds(SMALL)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                for (long address : PhysicalPages.of(mapping).addresses()) {
                    if (address < lowest || address + Bytes.PAGE - 1 > highest) {
                        throw new AssertionError("%s has a page at 0x%x, outside of the announced 0x%x to 0x%x"
                                .formatted(buffer, address, lowest, highest));
                    }
                }
            }
        }
    }
}
