// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about read-only exports: no holder can write through such a descriptor. */
final class ReadOnlyExportCases {
    private static final long SIZE = 64 << 10;
    private static final int O_RDWR = 0x2;
    private static final int O_CLOEXEC = 0x80000;

    private ReadOnlyExportCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        HeapRequest request = HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY);
        return List.of(
                heap.expect(
                        "a_descriptor_for_reading_cannot_be_mapped_for_writing",
                        () -> notMapped(heap, request),
                        heap.unlessReadOnlyExports()),
                heap.expect(
                        "a_descriptor_for_reading_cannot_be_reopened_for_writing",
                        () -> notReopened(heap, request),
                        heap.unlessReadOnlyExports()),
                heap.expect(
                        "a_descriptor_for_reading_does_not_let_a_write_through",
                        () -> notWritten(heap, request),
                        heap.unlessReadOnlyExports()),
                heap.expect(
                        "the_owner_writes_what_a_descriptor_for_reading_shows",
                        () -> ownerWrites(heap, request),
                        heap.unlessReadOnlyExports().or(() -> heap.unlessMappable())),
                heap.expect(
                        "an_export_for_reading_that_cannot_be_had_is_refused",
                        () -> heap.assertRefused(request, Errno.EINVAL, Errno.ENOTSUP),
                        heap.ifReadOnlyExports()));
    }

    private static void notMapped(HeapUnderTest heap, HeapRequest request) {
        try (HeldBuffer buffer = heap.allocate(request);
                OwnedFd peer = buffer.duplicate()) {
            assertNotMapped(peer, buffer, Errno.EACCES);
        }
    }

    private static void notReopened(HeapUnderTest heap, HeapRequest request) {
        try (HeldBuffer buffer = heap.allocate(request)) {
            int opened = Syscalls.linux().open(buffer.descriptorPath().toString(), O_RDWR | O_CLOEXEC);
            if (opened >= 0) { // as for every memfd; the new descriptor must then refuse writes
                try (OwnedFd peer = OwnedFd.of(opened, Syscalls.linux()::close)) {
                    assertNotMapped(peer, buffer, Errno.EPERM);
                }
            }
        }
    }

    private static void assertNotMapped(OwnedFd peer, HeldBuffer buffer, Errno expected) {
        try (Arena arena = Arena.ofConfined()) {
            new Mappings(Syscalls.linux()).map(peer, buffer.size(), Access.READ_WRITE, arena);
        } catch (HeapException e) {
            Sentence.assertErrno(expected, e);
            return;
        }
        throw new AssertionError(buffer + " could be mapped for writing by a peer");
    }

    private static void notWritten(HeapUnderTest heap, HeapRequest request) {
        try (HeldBuffer buffer = heap.allocate(request)) {
            try (FileChannel peer = FileChannel.open(buffer.descriptorPath(), StandardOpenOption.WRITE)) {
                peer.write(ByteBuffer.wrap(new byte[] {1}));
            } catch (IOException refused) {
                return;
            }
            throw new AssertionError(buffer + " could be written by a peer");
        }
    }

    private static void ownerWrites(HeapUnderTest heap, HeapRequest request) {
        try (HeldBuffer buffer = heap.allocate(request);
                Arena peer = Arena.ofConfined()) {
            MemorySegment view = buffer.mapAsPeer(Access.READ, peer);
            for (int value = 0; value < 3; value++) {
                Content.assertFilledWith(value, view, buffer);
                buffer.fill(value + 1);
            }
        }
    }
}
