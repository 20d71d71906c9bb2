// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.AdoptedMemory;
import org.dmabuf.heap.linux.Descriptors;
import org.dmabuf.heap.linux.Fd;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Memory of other processes, which here this process makes itself. */
class AdoptionTest {
    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int MFD_HUGETLB = 0x4;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SHRINK = 0x2;
    private static final int F_SEAL_WRITE = 0x8;
    private static final int F_SEAL_FUTURE_WRITE = 0x10;
    private static final int O_RDONLY = 0;
    private static final int O_WRONLY = 1;
    private static final long DMA_BUF_MAGIC = 0x444d4142;
    private static final long SIZE = 10_000;

    private final ProcessState before = ProcessState.now();
    private final BrokerParts broker = new BrokerParts();
    private final Syscalls syscalls = Syscalls.linux();

    @AfterEach
    void nothing_is_left() {
        broker.close(); // waits for the reaper, which may be at the last mapping
        assertEquals(0, broker.adoption.account().buffers());
        assertEquals(0, broker.adoption.account().bytes());
        before.assertNothingLeft();
    }

    @Test
    void a_memfd_that_cannot_shrink_becomes_a_buffer_like_any_other() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                OwnedFd peer = reopened(made, 2);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs")) {
            assertThrows(IllegalStateException.class, made::fd, "the buffer owns it now");
            assertEquals(SIZE, buffer.size());
            assertEquals("adopted", buffer.heapName());
            assertEquals("theirs", buffer.name());
            assertEquals(syscalls.inode(peer.fd()), buffer.inode().getAsLong());
            try (Arena arena = Arena.ofConfined();
                    DmaBuf again = broker.adoption.adopt(broker.client, peer, "")) {
                buffer.map(Access.READ_WRITE, arena).set(JAVA_BYTE, SIZE - 1, (byte) 7);
                MemorySegment view = again.map(Access.READ, arena);
                assertEquals(7, view.get(JAVA_BYTE, SIZE - 1));
                assertTrue(view.isReadOnly());
            }
        }
    }

    @Test
    void it_is_charged_in_full_and_listed_as_no_heap() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "")) {
            assertEquals(SIZE, buffer.size());
            assertEquals(1, broker.info("adopted", HeapState.ADOPTED).liveBuffers());
            assertEquals(SIZE, broker.info("adopted", HeapState.ADOPTED).liveBytes());
        }
        assertFalse(broker.listing.heaps().stream().anyMatch(heap -> heap.state() == HeapState.ADOPTED));
    }

    @Test
    void what_its_sender_sealed_against_writing_is_read_and_not_written() {
        for (int seal : new int[] {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
            try (OwnedFd made = memfd(F_SEAL_SHRINK | seal);
                    DmaBuf buffer = broker.adoption.adopt(broker.client, made, "");
                    Arena arena = Arena.ofConfined()) {
                assertEquals(SIZE, buffer.map(Access.READ, arena).byteSize());
                HeapException refusal =
                        assertThrows(HeapException.class, () -> buffer.map(Access.READ_WRITE, arena));
                assertEquals(Errno.EPERM, refusal.errno());
            }
        }
    }

    @Test
    void a_descriptor_for_reading_is_adopted_and_cannot_be_mapped_for_writing() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                OwnedFd readOnly = reopened(made, O_RDONLY);
                DmaBuf buffer = broker.adoption.adopt(broker.client, readOnly, "");
                Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ_WRITE, arena));
            assertEquals(Errno.EACCES, refusal.errno());
        }
    }

    @Test
    void what_could_be_shrunk_is_refused_and_stays_the_callers() {
        try (OwnedFd made = memfd(0)) {
            refused(Errno.EPERM, "could be shrunk", made);
            assertTrue(made.fd() >= 0);
        }
    }

    /** Needs no huge page: the descriptor tells what it would be made of. */
    @Test
    void what_is_on_huge_pages_is_refused_whatever_its_seals() {
        int fd = syscalls.memfdCreate("huge", MFD_ALLOW_SEALING | MFD_HUGETLB);
        assumeTrue(fd >= 0, "skipped: this kernel has no huge pages, memfd_create answers " + fd);
        try (OwnedFd huge = new Fd(syscalls, fd)) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
            refused(Errno.EPERM, "huge pages", huge);
        }
    }

    /** The kernel takes a memfd for a dma-buf here; on real ones the suite in the guest adopts. */
    @Test
    void a_dma_buf_is_adopted_with_its_brackets_and_without_a_look_at_seals() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        kernel.answer("fileSystem", DMA_BUF_MAGIC);
        kernel.answer("size", 0);
        kernel.answer("dmaBufSync", 0);
        Adoption adoption = new Adoption(
                broker.ledger,
                new Upkeep(new Descriptors(kernel), Optional.empty(), broker.journal),
                kernel,
                Headroom.machine());
        try (OwnedFd made = memfd(0);
                DmaBuf buffer = adoption.adopt(broker.client, made, "theirs")) {
            assertEquals(SIZE, buffer.size());
            assertEquals(Map.of("heap.name", "adopted", "heap.dmabuf", true), buffer.heapProperties());
            try (CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
                assertEquals(3, kernel.count("dmaBufSync")); // the first has one before it, as udmabuf needs
            }
            assertEquals(4, kernel.count("dmaBufSync"));
        }
        assertEquals(0, kernel.count("allocated"));
        assertEquals(0, kernel.count("fallocate"));
    }

    @Test
    void a_memfd_is_adopted_as_no_dma_buf() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "")) {
            assertEquals(
                    Map.of("heap.name", "adopted", "heap.backend", "memfd", "heap.dmabuf", false),
                    buffer.heapProperties());
            buffer.beginCpuAccess(Access.WRITE).close(); // asks the kernel nothing: it would be ENOTTY
        }
    }

    @Test
    void a_dma_buf_that_cannot_be_adopted_stays_the_callers() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        kernel.answer("fileSystem", DMA_BUF_MAGIC);
        try (OwnedFd made = memfd(0);
                OwnedFd writeOnly = reopened(made, O_WRONLY)) {
            HeapException access = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), writeOnly, _ -> {}));
            assertEquals(Errno.EACCES, access.errno());
            kernel.fail("seekEnd", Errno.EINVAL);
            HeapException end = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), made, _ -> {}));
            assertEquals(Errno.EINVAL, end.errno());
            kernel.answer("seekEnd", 0);
            HeapException empty = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), made, _ -> {}));
            assertEquals(Errno.EINVAL, empty.errno());
            assertTrue(made.fd() >= 0 && writeOnly.fd() >= 0);
        }
    }

    @Test
    void a_descriptor_for_writing_only_is_refused() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                OwnedFd writeOnly = reopened(made, O_WRONLY)) {
            refused(Errno.EACCES, "open for writing only", writeOnly);
        }
    }

    @Test
    void what_is_no_memory_is_refused(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "text");
        try (OwnedFd regular = new Fd(syscalls, syscalls.open(file.toString(), O_RDONLY));
                OwnedFd device = new Fd(syscalls, syscalls.open("/dev/null", O_RDONLY))) {
            HeapException refusal =
                    assertThrows(HeapException.class, () -> broker.adoption.adopt(broker.client, regular, ""));
            assertTrue(
                    refusal.errno() == Errno.EBADFD || refusal.errno() == Errno.EPERM, // EPERM where /tmp is a tmpfs
                    refusal.getMessage());
            assertThrows(HeapException.class, () -> broker.adoption.adopt(broker.client, device, ""));
        }
    }

    @Test
    void memory_without_bytes_is_refused() {
        int fd = syscalls.memfdCreate("empty", MFD_ALLOW_SEALING);
        try (OwnedFd empty = new Fd(syscalls, fd)) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
            refused(Errno.EINVAL, "no bytes", empty);
        }
    }

    @Test
    void more_than_the_machine_has_is_refused_although_it_takes_no_memory_yet() throws IOException {
        int fd = syscalls.memfdCreate("sparse", MFD_ALLOW_SEALING);
        try (OwnedFd sparse = new Fd(syscalls, fd)) {
            try (var file = new RandomAccessFile("/proc/self/fd/" + fd, "rw")) {
                file.setLength(1L << 46);
            }
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
            refused(Errno.ENOMEM, "64 TiB do not fit", sparse);
        }
    }

    @Test
    void what_its_sender_has_filled_needs_no_room_and_what_it_punched_does() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            kernel.answer("size", 1L << 46);
            kernel.answer("allocated", 1L << 46);
            AdoptedMemory memory = AdoptedMemory.adopt(kernel, Headroom.machine(), made, _ -> {});
            kernel.answer("allocated", 0);
            HeapException refusal = assertThrows(HeapException.class, () -> memory.map(Access.READ));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(0, kernel.count("mmap"));
            memory.release();
        }
    }

    @Test
    void what_its_sender_adds_while_it_is_adopted_is_no_part_of_it() throws Exception {
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                var sender = new RandomAccessFile("/proc/self/fd/" + made.fd(), "rw")) {
            AdoptedMemory memory = AdoptedMemory.adopt(syscalls, Headroom.machine(), made, size -> {
                assertEquals(SIZE, size);
                enlarge(sender);
            });
            assertEquals(SIZE, memory.size());
            memory.release();
        }
    }

    private static void enlarge(RandomAccessFile file) {
        try {
            file.setLength(10 * SIZE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void what_does_not_fit_a_quota_stays_the_callers() throws Exception {
        broker.ledger.apply(
                BrokerParts.rules(new String[] {"adopted=8K"}, new String[0], new String[0], new String[0]));
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            refused(Errno.ENOMEM, "do not fit the heap's quota", made);
            assertTrue(made.fd() >= 0);
        }
    }

    /** The quota falls between the look at the descriptor and the buffer. */
    @Test
    void what_was_set_aside_is_charged_whatever_quota_comes_meanwhile() throws Exception {
        Charge charge = broker.ledger.charge(broker.client, broker.adoption.account());
        assertTrue(charge.setAside(SIZE).isEmpty());
        broker.ledger.apply(BrokerParts.rules(
                new String[] {"adopted=4K"}, new String[] {"*=4K"}, new String[] {"*/adopted=4K"}, new String[0]));
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            AdoptedMemory memory = AdoptedMemory.adopt(syscalls, Headroom.machine(), made, _ -> {});
            Buffer buffer = new Buffer(
                    memory, SIZE, 1, broker.adoption.description(), charge, true, "", broker.upkeep.withoutPeers());
            assertTrue(charge.begin(buffer).isEmpty());
            assertEquals(SIZE, broker.adoption.account().bytes());
            broker.client.lease(buffer).close();
        }
    }

    @Test
    void a_name_that_is_none_is_refused_before_the_descriptor_is_looked_at() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            HeapException refusal = assertThrows(
                    HeapException.class, () -> broker.adoption.adopt(broker.client, made, "x".repeat(32)));
            assertEquals(Errno.EINVAL, refusal.errno());
            assertTrue(made.fd() >= 0);
        }
    }

    @Test
    void a_client_that_has_stopped_adopts_nothing() {
        broker.client.stop("the bundle has stopped");
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            assertThrows(IllegalStateException.class, () -> broker.adoption.adopt(broker.client, made, ""));
            assertTrue(made.fd() >= 0);
        }
    }

    private void refused(Errno errno, String sentence, OwnedFd descriptor) {
        HeapException refusal =
                assertThrows(HeapException.class, () -> broker.adoption.adopt(broker.client, descriptor, ""));
        assertEquals(errno, refusal.errno(), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(sentence), refusal.getMessage());
    }

    private OwnedFd memfd(int seals) {
        int fd = syscalls.memfdCreate("peer", MFD_ALLOW_SEALING);
        assertEquals(0, syscalls.fallocate(fd, 0, 0, SIZE));
        if (seals != 0) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, seals));
        }
        return new Fd(syscalls, fd);
    }

    private OwnedFd reopened(OwnedFd fd, int flags) {
        return new Fd(syscalls, syscalls.open("/proc/self/fd/" + fd.fd(), flags));
    }
}
