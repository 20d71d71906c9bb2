// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about CPU accesses: any direction, any number, with and without a mapping. */
final class BracketCases {
    private static final long SIZE = 1 << 20;

    private BracketCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect(
                        "brackets_of_every_direction_work_before_any_mapping",
                        () -> everyDirection(heap),
                        heap.unlessHolds(1, SIZE)),
                heap.expect("brackets_nest_and_overlap", () -> nestAndOverlap(heap), heap.unlessHolds(1, SIZE)),
                heap.expect(
                        "brackets_work_while_a_peer_has_the_descriptor",
                        () -> withPeer(heap),
                        heap.unlessHolds(1, SIZE)),
                heap.expect(
                        "what_one_bracket_wrote_the_next_one_reads",
                        () -> writeThenRead(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(1, SIZE))));
    }

    private static void everyDirection(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                for (Access access : Access.values()) {
                    buffer.begin(access);
                    buffer.end(access);
                }
            }
        }
    }

    private static void nestAndOverlap(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                for (Access outer : Access.values()) {
                    for (Access inner : Access.values()) {
                        buffer.begin(outer);
                        buffer.begin(inner);
                        buffer.end(inner);
                        buffer.end(outer);
                        buffer.begin(outer);
                        buffer.begin(inner);
                        buffer.end(outer);
                        buffer.end(inner);
                    }
                }
            }
        }
    }

    private static void withPeer(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request);
                    OwnedFd peer = buffer.duplicate()) {
                for (Access access : Access.values()) {
                    buffer.begin(access);
                    buffer.end(access);
                }
                peer.fd();
            }
        }
    }

    private static void writeThenRead(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                for (int value = 1; value < 4; value++) {
                    buffer.begin(Access.WRITE);
                    mapping.fill((byte) value);
                    buffer.end(Access.WRITE);
                    buffer.begin(Access.READ);
                    Content.assertFilledWith(value, mapping, buffer);
                    buffer.end(Access.READ);
                }
            }
        }
    }
}
