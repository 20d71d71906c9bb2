// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the region that emulates contiguous memory, with dma-bufs of its ranges. */
class EmulatedCmaIT {
    private static final long MIB = 1 << 20;
    private static final long BUFFER = 64 << 10;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final Path HUGE = Path.of("/sys/kernel/mm/transparent_hugepage/shmem_enabled");

    private final Syscalls syscalls = Syscalls.linux();

    private static EmulatedCmaSource open(long size) {
        return EmulatedCmaSource.open(
                "cma",
                RegionLayout.of(size, "its size").withAlignmentCap(MIB).withExports(RegionLayout.Exports.UDMABUF),
                Syscalls.linux(),
                Headroom.machine());
    }

    /**
     * Runs with and without automatic huge pages for such files, because a hole does not release a part of a huge page.
     */
    @ParameterizedTest
    @ValueSource(strings = {"never", "always"})
    void a_peer_that_outlives_its_buffer_neither_sees_nor_changes_the_next_buffer_in_its_place(String huge)
            throws IOException {
        Files.writeString(HUGE, huge);
        try (EmulatedCmaSource region = open(4 * MIB)) {
            HeapBuffer before = region.allocate(HeapRequest.of(BUFFER).withExport(ExportMode.NONE));
            before.map(Access.READ_WRITE).fill((byte) 1);
            HeapBuffer buffer = region.allocate(HeapRequest.of(BUFFER));
            buffer.map(Access.READ_WRITE).fill((byte) 2);
            HeapBuffer behind =
                    region.allocate(HeapRequest.of(4 * MIB - 2 * BUFFER - MIB).withExport(ExportMode.NONE));
            behind.map(Access.READ_WRITE).fill((byte) 3);
            List<HeapBuffer> rest = takeRest(region);
            try (OwnedFd peer = OwnedFd.of(syscalls.fcntl(buffer.descriptor(), F_DUPFD_CLOEXEC, 0), syscalls::close);
                    Arena arena = Arena.ofConfined()) {
                MemorySegment old = new Mappings(syscalls).map(peer, BUFFER, Access.READ_WRITE, arena);
                buffer.release();
                HeapBuffer next = region.allocate(HeapRequest.of(BUFFER));
                MemorySegment fresh = next.map(Access.READ_WRITE);
                assertAll(0, fresh);
                fresh.fill((byte) 4);
                assertAll(2, old);
                old.fill((byte) 5);
                assertAll(4, fresh);
                assertAll(1, before.map(Access.READ));
                assertAll(3, behind.map(Access.READ));
                next.release();
            }
            Stream.of(before, behind).forEach(HeapBuffer::release);
            rest.forEach(HeapBuffer::release);
            assertEquals(4 * MIB, region.usage().free().orElseThrow());
        } finally {
            Files.writeString(HUGE, "never");
        }
    }

    /** Fills the region so that the next buffer must take the place of the last one. */
    private static List<HeapBuffer> takeRest(EmulatedCmaSource region) {
        List<HeapBuffer> rest = new ArrayList<>();
        while (region.usage().free().orElseThrow() > 0) {
            rest.add(region.allocate(
                    HeapRequest.of(region.usage().largestFree().orElseThrow()).withExport(ExportMode.NONE)));
        }
        return rest;
    }

    private static void assertAll(int value, MemorySegment segment) {
        for (long offset = 0; offset < segment.byteSize(); offset += 512) {
            assertEquals(value, segment.get(ValueLayout.JAVA_BYTE, offset), "at " + offset);
        }
    }
}
