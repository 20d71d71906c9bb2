// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about mappings: all mappings of a buffer and of its descriptor show the same memory. */
final class MappingCases {
    private static final long SIZE = 64 << 10;
    private static final int BUFFERS = 16;

    private MappingCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect(
                        "a_mapping_has_every_byte_of_its_buffer_and_begins_at_a_page",
                        () -> mappingsAreWhole(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_buffer_maps_in_every_direction", () -> mapsInEveryDirection(heap), heap.unlessMappable()),
                heap.expect(
                        "a_write_through_one_mapping_shows_in_another",
                        () -> mappingsShareMemory(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_mapping_outlives_the_others_of_its_buffer",
                        () -> mappingsEndOneByOne(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_write_shows_in_a_mapping_of_the_descriptor",
                        () -> peerSeesTheOwner(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_write_through_a_mapping_of_the_descriptor_shows_in_the_buffer",
                        () -> ownerSeesThePeer(heap),
                        heap.unlessMappable()),
                heap.expect(
                        "a_peer_that_maps_before_the_owner_sees_zeros_and_what_it_writes_stays",
                        () -> peerMapsFirst(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(BUFFERS, SIZE))),
                heap.expect(
                        "two_buffers_share_no_byte",
                        () -> buffersAreApart(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(2, SIZE))),
                heap.expect("memory_that_cannot_be_mapped_says_so", () -> mappingIsRefused(heap), heap.ifMappable()));
    }

    private static void mappingsAreWhole(HeapUnderTest heap) {
        for (long size : new long[] {1, Bytes.PAGE + 1, SIZE}) {
            for (HeapRequest request : heap.kinds(size)) {
                try (HeldBuffer buffer = heap.allocate(request)) {
                    MemorySegment mapping = buffer.map(Access.READ_WRITE);
                    if (!mapping.isNative() || mapping.byteSize() != buffer.size()) {
                        throw new AssertionError(buffer + " has " + buffer.size() + " bytes, and a mapping of it "
                                + (mapping.isNative() ? mapping.byteSize() : "is an array of Java"));
                    }
                    if (mapping.address() % Bytes.PAGE != 0) {
                        throw new AssertionError("%s was mapped at address 0x%x, which is not that of a page"
                                .formatted(buffer, mapping.address()));
                    }
                }
            }
        }
    }

    private static void mapsInEveryDirection(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                for (Access access : Access.values()) {
                    MemorySegment mapping = buffer.map(access);
                    if (access.writes()) {
                        mapping.set(ValueLayout.JAVA_BYTE, buffer.size() - 1, (byte) 1);
                    }
                    mapping.get(ValueLayout.JAVA_BYTE, buffer.size() - 1);
                    buffer.unmap(mapping);
                }
            }
        }
    }

    private static void mappingsShareMemory(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                MemorySegment one = buffer.map(Access.READ_WRITE);
                MemorySegment other = buffer.map(Access.READ);
                one.fill((byte) 0x5a);
                Content.assertFilledWith(0x5a, other, buffer);
            }
        }
    }

    private static void mappingsEndOneByOne(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                MemorySegment first = buffer.map(Access.READ_WRITE);
                MemorySegment second = buffer.map(Access.READ);
                MemorySegment third = buffer.map(Access.READ_WRITE);
                first.fill((byte) 1);
                buffer.unmap(first);
                Content.assertFilledWith(1, second, buffer);
                third.fill((byte) 3);
                buffer.unmap(third);
                Content.assertFilledWith(3, second, buffer);
                buffer.unmap(second);
                // The contents stay without a mapping.
                buffer.assertFilledWith(3);
            }
        }
    }

    private static void peerSeesTheOwner(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request);
                    Arena peer = Arena.ofConfined()) {
                buffer.fill(1);
                MemorySegment view = buffer.mapAsPeer(Access.READ, peer);
                Content.assertFilledWith(1, view, buffer);
                buffer.fill(2);
                Content.assertFilledWith(2, view, buffer);
            }
        }
    }

    private static void ownerSeesThePeer(HeapUnderTest heap) {
        try (HeldBuffer buffer = heap.allocate(HeapRequest.of(SIZE));
                Arena peer = Arena.ofConfined()) {
            MemorySegment view = buffer.mapAsPeer(Access.READ_WRITE, peer);
            view.fill((byte) 7);
            buffer.assertFilledWith(7);
        }
    }

    /**
     * A heap that clears memory only when its owner first touches it clears too late. A peer could read the earlier
     * contents, and the clearing would destroy the peer's writes. Other buffers are used and released first, so that
     * the memory has earlier contents.
     */
    private static void peerMapsFirst(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            heap.awaitRoom(BUFFERS, SIZE);
            List<HeldBuffer> buffers = new ArrayList<>();
            try (Arena peer = Arena.ofConfined()) {
                for (int i = 0; i < BUFFERS; i++) {
                    buffers.add(heap.allocate(request));
                    buffers.getLast().fill(0xff);
                }
                buffers.forEach(HeldBuffer::close);
                buffers.clear();
                for (int i = 0; i < BUFFERS; i++) {
                    buffers.add(heap.allocate(request));
                }
                for (HeldBuffer buffer : buffers) {
                    boolean writes = request.export() == ExportMode.READ_WRITE;
                    MemorySegment view = buffer.mapAsPeer(writes ? Access.READ_WRITE : Access.READ, peer);
                    Content.assertFilledWith(0, view, "a peer's mapping, made first, of " + request);
                    if (writes) {
                        view.fill((byte) 7);
                        buffer.assertFilledWith(7);
                    }
                }
            } finally {
                buffers.forEach(HeldBuffer::close);
            }
        }
    }

    private static void buffersAreApart(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            try (HeldBuffer one = heap.allocate(request);
                    HeldBuffer other = heap.allocate(request)) {
                one.fill(1);
                other.assertFilledWith(0);
                other.fill(2);
                one.assertFilledWith(1);
            }
        }
    }

    private static void mappingIsRefused(HeapUnderTest heap) {
        for (HeapRequest request : heap.kinds(SIZE)) {
            for (Access access : Access.values()) {
                try (HeldBuffer buffer = heap.allocate(request)) {
                    buffer.map(access);
                    throw new AssertionError(buffer + " was mapped for " + access + ", expected a refusal");
                } catch (HeapException e) {
                    Sentence.assertErrno(Errno.EINVAL, e);
                    Sentence.assertNames(heap.name(), SIZE, e);
                }
            }
        }
    }
}
