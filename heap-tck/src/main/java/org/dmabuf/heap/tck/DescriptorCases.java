// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;

/** Cases about a buffer's descriptor and the accesses that it permits to its holders. */
final class DescriptorCases {
    private static final long SIZE = 64 << 10;
    private static final int O_CLOEXEC = 0x80000;
    private static final int BUFFERS = 16;

    private DescriptorCases() {}

    static List<ContractCase> of(HeapUnderTest heap) {
        return List.of(
                heap.expect("the_descriptor_is_the_same_on_every_call", () -> numberIsStable(heap)),
                heap.expect("the_descriptor_is_closed_on_exec", () -> closedOnExec(heap)),
                heap.expect(
                        "the_descriptor_is_one_buffers_and_no_others", () -> ownInode(heap), heap.unlessHolds(2, SIZE)),
                heap.expect("a_buffer_made_without_a_descriptor_refuses_one", () -> noDescriptor(heap)),
                heap.expect("those_who_have_the_descriptor_cannot_change_its_size", () -> sizeIsSealed(heap)),
                heap.expect(
                        "memory_lives_on_with_a_peer_after_release",
                        () -> peerKeepsTheMemory(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(1, SIZE))),
                heap.expect(
                        "memory_that_a_peer_still_has_goes_to_no_other_buffer",
                        () -> peerSeesNoNewTenant(heap),
                        heap.unlessMappable().or(() -> heap.unlessHolds(2 * BUFFERS, SIZE))));
    }

    private static void numberIsStable(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                int first = buffer.descriptor();
                int second = buffer.descriptor();
                if (first < 0 || second != first) {
                    throw new AssertionError(buffer + " has descriptor " + first + ", then " + second);
                }
            }
        }
    }

    private static void closedOnExec(HeapUnderTest heap) throws IOException {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                String flags = buffer.descriptorInfo("flags").orElseThrow();
                if ((Integer.parseInt(flags, 8) & O_CLOEXEC) == 0) {
                    throw new AssertionError(buffer + " has a descriptor with flags 0" + flags + ", no O_CLOEXEC");
                }
            }
        }
    }

    private static void ownInode(HeapUnderTest heap) throws IOException {
        Descriptors descriptors = new Descriptors(Syscalls.linux());
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer one = heap.allocate(request);
                    HeldBuffer other = heap.allocate(request)) {
                long inode = descriptors.inode(heap.name(), one.descriptor());
                if (inode == descriptors.inode(heap.name(), other.descriptor())) {
                    throw new AssertionError(one + " and another are both inode " + inode);
                }
                if (inode != descriptors.inode(heap.name(), one.descriptor())) {
                    throw new AssertionError(one + " was inode " + inode + " and is another now");
                }
                // A dma-buf has size 0 here. A larger file would expose more than this buffer to a reader.
                long size = Files.size(one.descriptorPath());
                if (size != one.size() && !heap.announces(HeapProperties.DMABUF, false)) {
                    throw new AssertionError(one + " has " + one.size() + " bytes, and its file " + size);
                }
            }
        }
    }

    private static void noDescriptor(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            // Every call must fail, not only the first.
            try (HeldBuffer buffer = heap.allocate(request.withExport(ExportMode.NONE))) {
                assertNoDescriptor(heap, buffer);
                assertNoDescriptor(heap, buffer);
            }
        }
    }

    private static void assertNoDescriptor(HeapUnderTest heap, HeldBuffer buffer) {
        int descriptor;
        try {
            descriptor = buffer.descriptor();
        } catch (HeapException e) {
            Sentence.assertErrno(Errno.ENOTSUP, e);
            Sentence.assertNames(heap.name(), buffer.size(), e);
            return;
        }
        throw new AssertionError(buffer + " has descriptor " + descriptor + ", expected a refusal with ENOTSUP");
    }

    private static void sizeIsSealed(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            try (HeldBuffer buffer = heap.allocate(request)) {
                for (long size : new long[] {0, buffer.size() / 2, 2 * buffer.size()}) {
                    // Any failure is correct: a dma-buf cannot even be opened by its path.
                    try (RandomAccessFile peer =
                            new RandomAccessFile(buffer.descriptorPath().toFile(), "rw")) {
                        peer.setLength(size);
                    } catch (IOException refused) {
                        continue;
                    }
                    throw new AssertionError(buffer + " could be given a size of " + size
                            + "; SIGBUS would end a process that has it mapped");
                }
            }
        }
    }

    private static void peerKeepsTheMemory(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            heap.awaitRoom(1, SIZE); // the release of memory that a peer held takes a moment
            try (Arena peer = Arena.ofConfined()) {
                MemorySegment view;
                try (HeldBuffer buffer = heap.allocate(request)) {
                    buffer.fill(0x5a);
                    view = buffer.mapAsPeer(Access.READ, peer);
                }
                Content.assertFilledWith(0x5a, view, "a peer's mapping after release of " + request);
            }
        }
    }

    private static void peerSeesNoNewTenant(HeapUnderTest heap) {
        for (HeapRequest request : heap.exportableKinds(SIZE)) {
            heap.awaitRoom(2 * BUFFERS, SIZE);
            List<HeldBuffer> tenants = new ArrayList<>();
            try (Arena peer = Arena.ofConfined()) {
                List<MemorySegment> views = new ArrayList<>();
                for (int i = 0; i < BUFFERS; i++) {
                    try (HeldBuffer buffer = heap.allocate(request)) {
                        buffer.fill(0x5a);
                        views.add(buffer.mapAsPeer(Access.READ, peer));
                    }
                }
                for (int i = 0; i < BUFFERS; i++) {
                    tenants.add(heap.allocate(request));
                    tenants.getLast().fill(0xa5);
                }
                for (MemorySegment view : views) {
                    Content.assertFilledWith(0x5a, view, "a peer's mapping of a released buffer");
                }
            } finally {
                tenants.forEach(HeldBuffer::close);
            }
        }
    }
}
