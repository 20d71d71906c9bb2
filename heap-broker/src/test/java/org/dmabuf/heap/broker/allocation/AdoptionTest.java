// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.buffer.BufferServices;
import org.dmabuf.heap.broker.buffer.SharedBuffer;
import org.dmabuf.heap.linux.adopted.AdoptedMemory;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests of the adoption of memory of other processes, which this process creates itself here. Tests of memory that its
 * sender can still change configure the broker to accept such memory.
 */
class AdoptionTest {
    private static final int MFD_ALLOW_SEALING = 0x2;
    private static final int MFD_HUGETLB = 0x4;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_GET_SEALS = 1034;
    private static final int F_SEAL_SHRINK = 0x2;
    private static final int F_SEAL_WRITE = 0x8;
    private static final int F_SEAL_FUTURE_WRITE = 0x10;
    private static final int O_RDONLY = 0;
    private static final int O_WRONLY = 1;
    private static final int O_PATH = 0x200000;
    private static final int FALLOC_KEEP_SIZE = 0x1;
    private static final int FALLOC_PUNCH_HOLE = 0x2;
    private static final int PAGE = 4096;
    /** Seals that the documentation asks a sender to set. */
    private static final int SEALED = F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE;

    private static final long SIZE = 10_000;

    private final ProcessState before = ProcessState.now();
    private final BrokerParts broker = new BrokerParts();
    private final Syscalls syscalls = Syscalls.linux();

    @AfterEach
    void nothing_is_left() {
        broker.close(); // waits for the reaper, which may be ending the last mapping
        assertEquals(0, broker.adoption.account().buffers());
        assertEquals(0, broker.adoption.account().bytes());
        before.assertNothingLeft();
    }

    @Test
    void a_memfd_that_cannot_shrink_becomes_a_buffer_if_the_setting_permits_it() {
        broker.adoption.acceptUnsealed(true);
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                OwnedFd peer = reopened(made, 2);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs")) {
            assertThrows(IllegalStateException.class, made::fd, "the buffer owns it now");
            assertEquals(SIZE, buffer.size());
            assertEquals("adopted", buffer.heapName());
            assertEquals(Optional.of("theirs"), buffer.name());
            assertEquals(syscalls.inode(peer.fd()), buffer.inode().getAsLong());
            try (Arena arena = Arena.ofConfined();
                    DmaBuf again = broker.adoption.adopt(broker.client, peer, "theirs")) {
                buffer.map(Access.READ_WRITE, arena).set(JAVA_BYTE, SIZE - 1, (byte) 7);
                MemorySegment view = again.map(Access.READ, arena);
                assertEquals(7, view.get(JAVA_BYTE, SIZE - 1));
                assertTrue(view.isReadOnly());
            }
        }
    }

    @Test
    void it_is_charged_in_full_and_not_listed_as_a_heap() {
        try (OwnedFd made = memfd(SEALED);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs")) {
            assertEquals(SIZE, buffer.size());
            assertEquals(1, broker.adoption.account().snapshot().liveBuffers());
            assertEquals(SIZE, broker.adoption.account().snapshot().liveBytes());
            assertEquals(List.of(), broker.heaps());
        }
        assertEquals(0, broker.adoption.account().buffers());
    }

    @Test
    void memory_that_its_sender_sealed_against_writing_can_only_be_read() {
        for (int seal : new int[] {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
            try (OwnedFd made = memfd(F_SEAL_SHRINK | seal);
                    DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs");
                    Arena arena = Arena.ofConfined()) {
                assertEquals(SIZE, buffer.map(Access.READ, arena).byteSize());
                HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ_WRITE, arena));
                assertEquals(Errno.EPERM, refusal.errno());
                assertTrue(refusal.getMessage().contains("sealed it against that; map it with READ"));
            }
        }
    }

    @Test
    void a_read_only_descriptor_is_adopted_and_cannot_be_mapped_for_writing() {
        broker.adoption.acceptUnsealed(true);
        try (OwnedFd made = memfd(F_SEAL_SHRINK);
                OwnedFd readOnly = reopened(made, O_RDONLY);
                DmaBuf buffer = broker.adoption.adopt(broker.client, readOnly, "theirs");
                Arena arena = Arena.ofConfined()) {
            HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ_WRITE, arena));
            assertEquals(Errno.EACCES, refusal.errno());
            assertTrue(refusal.getMessage().contains("open for reading only; map it with READ"));
        }
    }

    @Test
    void memory_that_could_be_shrunk_is_refused_and_stays_the_callers() {
        for (boolean unsealed : new boolean[] {false, true}) {
            broker.adoption.acceptUnsealed(unsealed);
            try (OwnedFd made = memfd(0);
                    OwnedFd written = memfd(F_SEAL_FUTURE_WRITE)) {
                refused(Errno.EPERM, "F_SEAL_SHRINK and could be shrunk", made);
                refused(Errno.EPERM, "F_SEAL_SHRINK and could be shrunk", written);
                assertTrue(made.fd() >= 0);
            }
        }
    }

    @Test
    void memory_that_its_sender_could_punch_is_refused_with_all_remedies() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            for (String remedy : new String[] {
                "lacks F_SEAL_FUTURE_WRITE",
                "fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)",
                "allocate with READ_ONLY",
                "adopt.unsealed = true in org.dmabuf.heap.broker.cfg"
            }) {
                refused(Errno.EPERM, remedy, made);
            }
        }
    }

    @Test
    void adopted_memory_cannot_be_punched() {
        for (int seal : new int[] {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
            try (OwnedFd made = memfd(F_SEAL_SHRINK | seal);
                    OwnedFd peer = reopened(made, 2);
                    DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs")) {
                assertEquals(
                        -Errno.EPERM.number(),
                        syscalls.fallocate(peer.fd(), FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, PAGE));
                assertEquals(SIZE, syscalls.firstHole(peer.fd()));
                assertEquals(SIZE, buffer.size());
            }
        }
    }

    /**
     * There are as many blocks beyond the end as are missing before it, so the file's count of blocks shows no hole.
     */
    @Test
    void a_hole_is_found_despite_blocks_beyond_the_end() {
        for (int[] hole : new int[][] {{0, PAGE}, {PAGE, 2 * PAGE}, {2 * PAGE, 3 * PAGE}, {0, 3 * PAGE}}) {
            try (OwnedFd made = memfd(0)) {
                assertEquals(
                        0,
                        syscalls.fallocate(
                                made.fd(), FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, hole[0], hole[1] - hole[0]));
                assertEquals(0, syscalls.fallocate(made.fd(), FALLOC_KEEP_SIZE, 3 * PAGE, 3 * PAGE));
                assertTrue(syscalls.allocated(made.fd()) >= SIZE);
                assertEquals(0, syscalls.fcntl(made.fd(), F_ADD_SEALS, SEALED));
                refused(Errno.EPERM, "has a hole at byte " + hole[0], made);
            }
        }
    }

    @Test
    void memory_that_was_allocated_and_never_written_is_refused_with_a_remedy() {
        int fd = syscalls.memfdCreate("peer", MFD_ALLOW_SEALING);
        try (OwnedFd made = OwnedFd.of(fd, syscalls::close)) {
            assertEquals(0, syscalls.fallocate(fd, 0, 0, SIZE));
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, SEALED));
            refused(Errno.EPERM, "have its sender write to every page before it calls fcntl", made);
        }
    }

    @Test
    void a_read_only_export_of_a_heap_is_adopted_although_no_client_wrote_to_it() {
        broker.memfd("camera");
        try (DmaBuf exported = broker.allocate(AllocationRequest.of(SIZE).withExport(ExportMode.READ_ONLY));
                DmaBuf adopted = broker.adoption.adopt(broker.client, exported.exportFd(), "theirs")) {
            assertEquals(exported.inode(), adopted.inode());
        }
    }

    /** The sender reads and writes through the same open file. */
    @Test
    void the_position_of_the_senders_file_does_not_change() throws IOException {
        try (OwnedFd made = memfd(SEALED);
                OwnedFd peer = new Descriptors(syscalls).duplicate("", made.fd());
                DmaBuf _ = broker.adoption.adopt(broker.client, made, "theirs");
                var lines = Files.lines(Path.of("/proc/self/fdinfo/" + peer.fd()))) {
            assertEquals("pos:\t0", lines.findFirst().orElseThrow(), "as the sender left it");
        }
    }

    /** Needs no huge page: the descriptor shows the page size of the file. */
    @Test
    void memory_on_huge_pages_is_refused_whatever_its_seals() {
        int fd = syscalls.memfdCreate("huge", MFD_ALLOW_SEALING | MFD_HUGETLB);
        assumeTrue(fd >= 0, "skipped: this kernel has no huge pages, memfd_create answers " + fd);
        try (OwnedFd huge = OwnedFd.of(fd, syscalls::close)) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, SEALED));
            refused(Errno.EPERM, "huge pages", huge);
            broker.adoption.acceptUnsealed(true);
            refused(Errno.EPERM, "huge pages", huge);
        }
    }

    /** This test's kernel reports a memfd as a dma-buf; the tests in the guest adopt real ones. */
    @Test
    void a_dma_buf_is_adopted_with_cpu_accesses_and_without_a_check_of_seals() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        asDmaBuf(kernel);
        kernel.answer("size", 0);
        kernel.answer("dmaBufSync", 0);
        Adoption adoption = new Adoption(
                broker.ledger,
                new BufferServices(
                        new Descriptors(kernel), Optional.empty(), broker.fences, broker.events, broker.leaks.lost()),
                kernel,
                Headroom.machine());
        try (OwnedFd made = memfd(0);
                DmaBuf buffer = adoption.adopt(broker.client, made, "theirs")) {
            assertEquals(SIZE, buffer.size());
            assertEquals(Map.of("heap.name", "adopted", "heap.dmabuf", true), buffer.heapProperties());
            try (CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
                assertEquals(1, kernel.count("dmaBufSync")); // waits for its own direction and for no other
            }
            assertEquals(2, kernel.count("dmaBufSync"));
        }
        assertEquals(0, kernel.count("allocated"));
        assertEquals(0, kernel.count("firstHole"));
        assertEquals(0, kernel.count("fallocate"));
    }

    @Test
    void an_adopted_memfd_is_not_a_dma_buf() {
        try (OwnedFd made = memfd(SEALED);
                DmaBuf buffer = broker.adoption.adopt(broker.client, made, "theirs")) {
            assertEquals(
                    Map.of("heap.name", "adopted", "heap.backend", "memfd", "heap.dmabuf", false),
                    buffer.heapProperties());
            buffer.beginCpuAccess(Access.WRITE).close(); // no call to the kernel, which would return ENOTTY
        }
    }

    @Test
    void a_dma_buf_that_cannot_be_adopted_stays_the_callers() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        asDmaBuf(kernel);
        try (OwnedFd made = memfd(0);
                OwnedFd writeOnly = reopened(made, O_WRONLY)) {
            HeapException access = assertThrows(
                    HeapException.class,
                    () -> AdoptedMemory.adopt(kernel, Headroom.machine(), false, writeOnly, _ -> {}));
            assertEquals(Errno.EACCES, access.errno());
            asDmaBuf(kernel);
            kernel.fail("seekEnd", Errno.EINVAL);
            HeapException end = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), false, made, _ -> {}));
            assertEquals(Errno.EINVAL, end.errno());
            asDmaBuf(kernel);
            kernel.answer("seekEnd", 0);
            HeapException empty = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), false, made, _ -> {}));
            assertEquals(Errno.EINVAL, empty.errno());
            assertTrue(made.fd() >= 0 && writeOnly.fd() >= 0);
        }
    }

    /** Kernel that reports the next descriptor as a dma-buf, without seals. */
    private static void asDmaBuf(FaultySyscalls kernel) {
        kernel.failNext("fcntl", 1, Errno.EINVAL);
        kernel.answer("isDmaBuf", 1);
    }

    @Test
    void a_descriptor_for_writing_only_is_refused() {
        try (OwnedFd made = memfd(SEALED);
                OwnedFd writeOnly = reopened(made, O_WRONLY)) {
            refused(Errno.EACCES, "open for writing only", writeOnly);
        }
    }

    @Test
    void a_file_that_is_not_memory_is_refused_without_a_file_system_query(@TempDir Path folder) throws Exception {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        Path file = Files.writeString(folder.resolve("file"), "text");
        Path fifo = folder.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        try (OwnedFd made = memfd(SEALED)) {
            for (String path : new String[] {
                file.toString(), folder.toString(), "/dev/null", "/dev/zero", "/proc/self/status", "/sys/kernel/mm"
            }) {
                refusedAsNoMemory(kernel, path, O_RDONLY);
            }
            refusedAsNoMemory(kernel, fifo.toString(), 2); // read-write, so that open does not wait for a peer
            refusedAsNoMemory(kernel, "/proc/self/fd/" + made.fd(), O_PATH);
            refusedAsNoMemory(kernel, file.toString(), O_PATH);
        }
        for (String question : new String[] {"fileSystem", "size", "allocated", "inode", "seekEnd", "firstHole"}) {
            assertEquals(0, kernel.count(question), question);
        }
    }

    private void refusedAsNoMemory(FaultySyscalls kernel, String path, int flags) {
        try (OwnedFd other = OwnedFd.of(syscalls.open(path, flags), syscalls::close)) {
            if (syscalls.fcntl(other.fd(), F_GET_SEALS, 0) >= 0) {
                return; // a file on a tmpfs, which has seals
            }
            HeapException refusal = assertThrows(
                    HeapException.class, () -> AdoptedMemory.adopt(kernel, Headroom.machine(), true, other, _ -> {}));
            assertEquals(Errno.EBADFD, refusal.errno(), path);
            assertTrue(other.fd() >= 0);
        }
    }

    /** The file has a seal that forbids further seals. */
    @Test
    void a_file_of_a_tmpfs_is_refused() throws IOException {
        Path tmpfs = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(tmpfs), "skipped: no /dev/shm");
        Path file = Files.createTempFile(tmpfs, "adopted", "");
        try (OwnedFd open = OwnedFd.of(syscalls.open(file.toString(), 2), syscalls::close)) {
            Files.write(file, new byte[PAGE]);
            assumeTrue(syscalls.fcntl(open.fd(), F_GET_SEALS, 0) >= 0, "skipped: /dev/shm is not a tmpfs");
            refused(Errno.EPERM, "made with MFD_ALLOW_SEALING", open);
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void memory_without_bytes_is_refused() {
        int fd = syscalls.memfdCreate("empty", MFD_ALLOW_SEALING);
        try (OwnedFd empty = OwnedFd.of(fd, syscalls::close)) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, SEALED));
            refused(Errno.EINVAL, "the memory has 0 bytes; its sender must set a size first", empty);
        }
    }

    @Test
    void a_size_above_the_machines_memory_is_refused_although_no_page_exists_yet() throws IOException {
        broker.adoption.acceptUnsealed(true);
        int fd = syscalls.memfdCreate("sparse", MFD_ALLOW_SEALING);
        try (OwnedFd sparse = OwnedFd.of(fd, syscalls::close)) {
            try (var file = new RandomAccessFile("/proc/self/fd/" + fd, "rw")) {
                file.setLength(1L << 46);
            }
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
            refused(Errno.ENOMEM, "64 TiB does not fit", sparse);
        }
    }

    @Test
    void complete_and_sealed_memory_needs_no_free_memory_of_the_machine() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        try (OwnedFd made = memfd(SEALED)) {
            kernel.answer("size", 1L << 46);
            kernel.answer("firstHole", 1L << 46);
            AdoptedMemory.adopt(kernel, Headroom.machine(), false, made, _ -> {})
                    .release();
        }
        assertEquals(0, kernel.count("allocated"));
    }

    @Test
    void memory_that_can_lose_pages_needs_free_memory_for_its_whole_size() {
        FaultySyscalls kernel = new FaultySyscalls(syscalls);
        for (int seals : new int[] {F_SEAL_SHRINK, SEALED}) {
            try (OwnedFd made = memfd(seals)) {
                kernel.answer("size", 1L << 46); // for which the kernel reports pages of SIZE
                HeapException refusal = assertThrows(
                        HeapException.class,
                        () -> AdoptedMemory.adopt(kernel, Headroom.machine(), true, made, _ -> {}));
                assertEquals(Errno.ENOMEM, refusal.errno());
                assertTrue(made.fd() >= 0);
            }
        }
        assertEquals(0, kernel.count("allocated"));
    }

    @Test
    void bytes_that_the_sender_adds_during_the_adoption_are_not_adopted() throws Exception {
        try (OwnedFd made = memfd(SEALED);
                var sender = new RandomAccessFile("/proc/self/fd/" + made.fd(), "rw")) {
            AdoptedMemory memory = AdoptedMemory.adopt(syscalls, Headroom.machine(), false, made, size -> {
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
    void memory_that_exceeds_a_quota_stays_the_callers() throws Exception {
        broker.ledger.apply(
                BrokerParts.rules(new String[] {"adopted=8K"}, new String[0], new String[0], new String[0]));
        try (OwnedFd made = memfd(SEALED)) {
            refused(Errno.ENOMEM, "does not fit the heap's quota", made);
            assertTrue(made.fd() >= 0);
        }
    }

    /** The quota takes effect between the check of the descriptor and the creation of the buffer. */
    @Test
    void reserved_bytes_are_charged_whatever_quota_takes_effect_meanwhile() throws Exception {
        Charge charge = broker.ledger.charge(broker.client.account(), "", broker.adoption.account());
        assertTrue(charge.setAside(SIZE).isEmpty());
        broker.ledger.apply(BrokerParts.rules(
                new String[] {"adopted=4K"}, new String[] {"*=4K"}, new String[] {"*/adopted=4K"}, new String[0]));
        try (OwnedFd made = memfd(SEALED)) {
            AdoptedMemory memory = AdoptedMemory.adopt(syscalls, Headroom.machine(), false, made, _ -> {});
            SharedBuffer buffer = new SharedBuffer(
                    memory,
                    SIZE,
                    1,
                    broker.adoption.description(),
                    charge,
                    ExportMode.READ_WRITE,
                    Optional.empty(),
                    broker.services.withoutHolders());
            assertTrue(charge.begin(buffer).isEmpty());
            assertEquals(SIZE, broker.adoption.account().bytes());
            BufferReference.open(broker.client, buffer).close();
        }
    }

    @Test
    void an_invalid_name_is_refused_before_the_descriptor_is_examined() {
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            for (String none : List.of("", "x".repeat(32), "a\nb")) {
                assertThrows(IllegalArgumentException.class, () -> broker.adoption.adopt(broker.client, made, none));
            }
            assertTrue(made.fd() >= 0);
        }
    }

    @Test
    void a_client_that_has_stopped_adopts_nothing() {
        broker.client.stop("the bundle has stopped");
        try (OwnedFd made = memfd(F_SEAL_SHRINK)) {
            assertThrows(IllegalStateException.class, () -> broker.adoption.adopt(broker.client, made, "theirs"));
            assertTrue(made.fd() >= 0);
        }
    }

    private void refused(Errno errno, String sentence, OwnedFd descriptor) {
        HeapException refusal =
                assertThrows(HeapException.class, () -> broker.adoption.adopt(broker.client, descriptor, "theirs"));
        assertEquals(errno, refusal.errno(), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(sentence), refusal.getMessage());
    }

    private OwnedFd memfd(int seals) {
        int fd = syscalls.memfdCreate("peer", MFD_ALLOW_SEALING);
        write(fd);
        if (seals != 0) {
            assertEquals(0, syscalls.fcntl(fd, F_ADD_SEALS, seals));
        }
        return OwnedFd.of(fd, syscalls::close);
    }

    /** Writes to every page. */
    private static void write(int fd) {
        try (var file = Files.newByteChannel(Path.of("/proc/self/fd/" + fd), StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate((int) SIZE));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private OwnedFd reopened(OwnedFd fd, int flags) {
        return OwnedFd.of(syscalls.open("/proc/self/fd/" + fd.fd(), flags), syscalls::close);
    }
}
