// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.HeldFiles;
import org.dmabuf.heap.linux.source.UdmabufKernel;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of a region's ranges, their buffers and holders, and their reuse after a release. */
class RegionSourceTest {
    private static final long MIB = 1 << 20;
    private static final long SIZE = 16 * MIB;
    private static final int FRAME = 12_441_600; // 3840 x 2160, NV12

    private final HeldFiles before = new HeldFiles();
    private final UdmabufKernel kernel = new UdmabufKernel();
    private final List<RegionSource> open = new ArrayList<>();

    @AfterEach
    void nothing_is_left_behind() {
        open.forEach(RegionSource::close);
        before.assertNothingLeft();
        await(
                "no thread zeroes",
                () -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().equals("dmaheap-zero-camera")));
    }

    private static RegionLayout layout(RegionLayout.Exports exports) {
        return RegionLayout.of(SIZE, "size in org.dmabuf.heap.carveout~camera").withExports(exports);
    }

    @Test
    void an_impossible_layout_and_an_inapplicable_request_are_refused() {
        RegionLayout layout = layout(RegionLayout.Exports.MEMFD);
        for (RegionLayout none :
                List.of(layout.withChunk(MIB + 1), layout.withGranule(3 * MIB), layout.withAlignmentCap(MIB))) {
            assertEquals(
                    Errno.EINVAL,
                    assertThrows(HeapException.class, () -> open(none)).errno());
        }
    }

    private RegionSource open(RegionLayout layout) {
        RegionSource source = RegionSource.open("camera", layout, kernel.syscalls, Headroom.machine());
        open.add(source);
        return source;
    }

    private RegionSource udmabufs() {
        return open(layout(RegionLayout.Exports.UDMABUF));
    }

    private RegionSource memfds() {
        return open(layout(RegionLayout.Exports.MEMFD));
    }

    private static HeapRequest slice(long size) {
        return HeapRequest.of(size).withExport(ExportMode.NONE);
    }

    private static OwnedFd peer(HeapBuffer buffer) {
        return new Descriptors(Syscalls.linux()).duplicate("camera", buffer.descriptor());
    }

    private static long quarantined(RegionSource source) {
        return source.usage().quarantined().orElseThrow();
    }

    private static long free(RegionSource source) {
        return source.usage().free().orElseThrow();
    }

    private static void fill(HeapBuffer buffer, int value) {
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) value);
        buffer.unmap(mapping);
    }

    private static void assertFilled(int value, HeapBuffer buffer) {
        MemorySegment mapping = buffer.map(Access.READ);
        long eight = (value & 0xffL) * 0x0101010101010101L;
        for (long offset = 0; offset < mapping.byteSize(); offset += Long.BYTES) {
            if (mapping.get(ValueLayout.JAVA_LONG, offset) != eight) {
                throw new AssertionError("not " + value + " at " + offset);
            }
        }
        buffer.unmap(mapping);
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, what + " takes longer than half a minute");
            Thread.onSpinWait();
        }
    }

    @Test
    void buffers_without_export_are_created_mapped_and_released_without_a_system_call() {
        RegionSource source = udmabufs();
        long calls = kernel.calls.get();
        for (int i = 0; i < 100; i++) {
            for (HeapRequest request : List.of(slice(3 * MIB), HeapRequest.of(MIB))) {
                HeapBuffer buffer = source.allocate(request);
                buffer.beginCpuAccess(Access.READ_WRITE);
                fill(buffer, 1);
                buffer.endCpuAccess(Access.READ_WRITE);
                buffer.release();
            }
        }
        await("all is zeroed", () -> free(source) == SIZE);
        assertEquals(calls, kernel.calls.get());
    }

    @Test
    void a_size_that_does_not_fit_is_refused_with_the_free_bytes_and_the_remedy() {
        RegionSource source = udmabufs();
        HeapBuffer first = source.allocate(slice(FRAME));
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(slice(FRAME)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'camera': 12441600 bytes do not fit: 4.1 MiB free, largest run 4.1 MiB; raise size in"
                        + " org.dmabuf.heap.carveout~camera or close a buffer",
                refusal.getMessage());
        first.release();
        source.allocate(slice(FRAME)).release();
    }

    @Test
    void released_memory_is_zeroed_before_enomem_and_before_its_reuse() {
        RegionSource source = udmabufs();
        for (int i = 0; i < 20; i++) {
            HeapBuffer all = source.allocate(slice(SIZE));
            assertFilled(0, all);
            fill(all, 0xff);
            all.release();
        }
    }

    @Test
    void memory_that_a_peer_holds_is_quarantined_and_zeroed_before_its_reuse() throws IOException {
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(4 * MIB));
        fill(buffer, 0xff);
        OwnedFd peer = peer(buffer);
        buffer.release();
        assertEquals(4 * MIB, quarantined(source));
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(slice(SIZE)));
        assertTrue(
                refusal.getMessage().contains("12 MiB free, largest run 12 MiB, 4 MiB released but still held;"),
                refusal.getMessage());
        peer.close();
        await("the quarantine ends", () -> quarantined(source) == 0);
        HeapBuffer all = source.allocate(slice(SIZE));
        assertFilled(0, all);
        all.release();
    }

    /**
     * Pages that the kernel counts as released can still be in a pipe, for a udmabuf of a kernel before 6.11. The
     * second kernel counts pages in a pipe, and its result shows that this test can fail.
     */
    @ParameterizedTest
    @CsvSource({"true, 1", "false, 2"})
    void a_former_holder_that_kept_a_page_never_sees_the_next_buffer(boolean old, String seen, @TempDir Path folder)
            throws IOException {
        kernel.lendsPages = old;
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        fill(buffer, 1);
        assertTrue(buffer.descriptor() >= 0);
        String region = "/proc/" + ProcessHandle.current().pid() + "/fd/" + kernel.region;
        Process keeper = keeper(folder, region, kernel.offset);
        try {
            assertEquals("kept", keeper.inputReader().readLine());
            buffer.release();
            HeapBuffer all = source.allocate(slice(SIZE));
            assertFilled(0, all);
            assertEquals(SIZE, memoryBehind("camera", SIZE));
            fill(all, 2);
            keeper.getOutputStream().close();
            assertEquals(seen, keeper.inputReader().readLine());
            all.release();
        } finally {
            keeper.destroyForcibly();
        }
    }

    private static Process keeper(Path folder, String file, long offset) throws IOException {
        Path script = folder.resolve("keeper.py");
        try (InputStream text = RegionSourceTest.class.getResourceAsStream("/keeper.py")) {
            Files.write(script, text.readAllBytes());
        }
        return new ProcessBuilder("python3", "-S", script.toString(), file, Long.toString(offset))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    @Test
    void memory_that_was_never_exported_keeps_its_pages_on_a_kernel_that_lends_them() {
        kernel.lendsPages = true;
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        fill(buffer, 1);
        buffer.release();
        await("all is zeroed", () -> free(source) == SIZE);
        assertEquals(0, kernel.punches.get());
    }

    @Test
    void a_range_whose_pages_may_be_kept_waits_until_the_machine_has_new_ones() {
        kernel.lendsPages = true;
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        assertTrue(buffer.descriptor() >= 0);
        kernel.fail("madvise", Errno.ENOMEM);
        buffer.release();
        await("the pages are given back", () -> kernel.punches.get() == 1);
        assertEquals(Errno.ENOMEM, refusal(source));
        kernel.heal();
        HeapBuffer all = source.allocate(slice(SIZE));
        assertFilled(0, all);
        all.release();
    }

    @Test
    void a_range_whose_pages_the_kernel_does_not_take_back_is_not_allocated() {
        kernel.lendsPages = true;
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        assertTrue(buffer.descriptor() >= 0);
        kernel.fail("fallocate", Errno.EIO);
        buffer.release();
        assertEquals(Errno.ENOMEM, refusal(source));
        assertEquals(SIZE - MIB, free(source));
        kernel.heal();
        source.allocate(slice(SIZE)).release();
    }

    private static Errno refusal(RegionSource source) {
        return assertThrows(HeapException.class, () -> source.allocate(slice(SIZE)))
                .errno();
    }

    @Test
    void pages_are_replaced_if_the_probe_for_kept_pages_fails() {
        kernel.answer("canSplice", -Errno.ENOSYS.number());
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        assertTrue(buffer.descriptor() >= 0);
        buffer.release();
        await("all is replaced", () -> free(source) == SIZE);
        assertEquals(1, kernel.punches.get());
        kernel.answer("canSplice", -Errno.EMFILE.number());
        assertEquals(
                Errno.EMFILE, assertThrows(HeapException.class, this::udmabufs).errno());
    }

    @Test
    void the_memory_of_a_region_is_locked_and_so_are_replaced_pages() throws IOException {
        RegionSource source = open(RegionLayout.of(32 << 10, "size").withExports(RegionLayout.Exports.MEMFD));
        assumeTrue(source.swappable().isEmpty(), () -> "skipped: this process may not lock 32 KiB");
        assertEquals(32, lockedKiB("camera"));
        source.allocate(HeapRequest.of(16 << 10)).release();
        await("the range has its memory again", () -> free(source) == 32 << 10);
        assertEquals(32, lockedKiB("camera"));
    }

    @ParameterizedTest
    @CsvSource({"ENOMEM", "EPERM", "EAGAIN"})
    void a_region_that_may_not_be_locked_reports_a_remedy_and_serves(Errno errno) {
        kernel.fail("mlock", errno);
        RegionSource source = udmabufs();
        assertEquals(
                "mlock of 16 MiB failed: " + errno.meaning() + "; raise the process's limit of locked memory by that"
                        + " size (LimitMEMLOCK= in a unit, ulimit -l), or grant CAP_IPC_LOCK",
                source.swappable());
        source.allocate(slice(SIZE)).release();
    }

    /** Returns the locked KiB of a memfd's mappings, as the kernel shows them. */
    private static long lockedKiB(String memfd) throws IOException {
        long locked = 0;
        boolean inside = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"), StandardCharsets.ISO_8859_1)) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                inside = line.contains("/memfd:" + memfd);
            } else if (inside && line.startsWith("Locked:")) {
                locked += Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        return locked;
    }

    @Test
    void a_second_release_does_not_affect_the_next_buffer() {
        RegionSource source = udmabufs();
        HeapBuffer first = source.allocate(slice(SIZE));
        first.release();
        HeapBuffer second = source.allocate(slice(SIZE));
        first.release();
        assertEquals(0, free(source));
        second.release();
    }

    @Test
    void a_released_buffer_exports_no_descriptor_of_reused_memory() {
        for (RegionSource source : List.of(udmabufs(), memfds())) {
            HeapBuffer unexported = source.allocate(HeapRequest.of(MIB));
            HeapBuffer exported = source.allocate(HeapRequest.of(MIB));
            assertTrue(exported.descriptor() >= 0);
            unexported.release();
            exported.release();
            HeldFiles released = new HeldFiles();
            assertThrows(IllegalStateException.class, unexported::descriptor);
            assertThrows(IllegalStateException.class, exported::descriptor);
            released.assertNothingLeft();
        }
    }

    /** Otherwise a heap that starts with another configuration would find too little memory. */
    @Test
    void a_region_without_buffers_is_gone_when_its_close_returns_even_during_zeroing() {
        for (int i = 0; i < 50; i++) {
            RegionSource source = udmabufs();
            for (HeapBuffer buffer : List.of(source.allocate(slice(3 * MIB)), source.allocate(slice(5 * MIB)))) {
                fill(buffer, 1);
                buffer.release();
            }
            source.close();
            assertEquals(Set.of(), before.left());
        }
    }

    @Test
    void a_region_lives_until_its_last_buffer_and_last_peer_are_gone() {
        RegionSource source = udmabufs();
        HeapBuffer slice = source.allocate(slice(MIB));
        HeapBuffer exported = source.allocate(HeapRequest.of(MIB));
        fill(slice, 1);
        source.close();
        fill(exported, 2);
        OwnedFd peer = peer(exported); // with a descriptor that is made after the heap has gone
        assertFilled(1, slice);
        slice.release();
        exported.release();
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(slice(1)));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertFalse(before.left().isEmpty());
        peer.close();
    }

    @Test
    void separate_memfds_count_against_the_region_and_their_ranges_return_their_memory() throws IOException {
        RegionSource source = memfds();
        assertEquals(SIZE, memoryBehind("camera", SIZE));
        HeapBuffer frame = source.allocate(HeapRequest.of(FRAME).withName("frame"));
        long pages = Bytes.wholePages(FRAME);
        assertEquals(SIZE - pages, free(source));
        assertEquals(SIZE - pages, memoryBehind("camera", SIZE));
        assertEquals(pages, memoryBehind("frame", pages));
        assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(FRAME)));
        fill(frame, 0xff);
        frame.release();
        await("the range has its memory again", () -> free(source) == SIZE);
        assertEquals(SIZE, memoryBehind("camera", SIZE));
        HeapBuffer all = source.allocate(slice(SIZE));
        assertFilled(0, all);
        all.release();
    }

    @Test
    void a_range_without_memory_serves_the_next_memfd_of_its_size_as_it_is() {
        RegionSource source = memfds();
        HeapBuffer first = source.allocate(HeapRequest.of(FRAME));
        assertEquals(1, kernel.punches.get());
        kernel.fail("madvise", Errno.ENOMEM); // so that no background thread backs it meanwhile
        first.release();
        for (int i = 0; i < 20; i++) {
            source.allocate(HeapRequest.of(FRAME)).release();
        }
        assertEquals(1, kernel.punches.get());
        kernel.heal();
        await("the range has its memory again", () -> free(source) == SIZE);
        source.allocate(HeapRequest.of(FRAME)).release();
        assertEquals(2, kernel.punches.get());
    }

    @Test
    void a_range_without_memory_is_backed_again_for_a_buffer_of_another_kind_or_size() throws IOException {
        RegionSource source = memfds();
        for (int i = 0; i < 20; i++) {
            HeapBuffer frame = source.allocate(HeapRequest.of(FRAME));
            fill(frame, 0xff);
            frame.release();
            if (i % 2 == 0) {
                HeapBuffer all = source.allocate(slice(SIZE));
                assertEquals(SIZE, memoryBehind("camera", SIZE));
                assertFilled(0, all);
                fill(all, 0xff);
                all.release();
            } else {
                HeapBuffer more = source.allocate(HeapRequest.of(FRAME + MIB));
                assertEquals(SIZE - more.size(), memoryBehind("camera", SIZE));
                assertFilled(0, more);
                more.release();
            }
        }
    }

    @Test
    void a_request_for_one_range_without_memory_does_not_wait_for_the_others() {
        RegionSource source = memfds();
        List<HeapBuffer> frames = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            frames.add(source.allocate(HeapRequest.of(4 * MIB)));
        }
        kernel.fail("madvise", Errno.ENOMEM); // so that no range is backed before it is needed
        frames.forEach(HeapBuffer::release);
        assertThrows(HeapException.class, () -> source.allocate(slice(4 * MIB)));
        kernel.heal();
        kernel.populated.clear();
        source.allocate(slice(4 * MIB)).release();
        long mine =
                kernel.populated.stream().filter(Thread.currentThread()::equals).count();
        // The background thread may have populated the range instead.
        assertTrue(mine <= 1, mine + " ranges were populated by this thread, instead of at most one");
    }

    /** Memory in bytes of the memfd with this name and size, once it is the only one in this process. */
    private static long memoryBehind(String memfd, long size) {
        await("one memfd '" + memfd + "'", () -> memories(memfd, size).size() == 1);
        return memories(memfd, size).getFirst();
    }

    /** Buffers without a name have that of the heap, as the region has. The size distinguishes them. */
    private static List<Long> memories(String memfd, long size) {
        List<Long> found = new ArrayList<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                int fd = Integer.parseInt(descriptor.getFileName().toString());
                if (Files.isSymbolicLink(descriptor)
                        && Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:" + memfd + " ")
                        && Syscalls.linux().size(fd) == size) {
                    found.add(Syscalls.linux().allocated(fd));
                }
            }
        } catch (NoSuchFileException e) { // a descriptor was closed meanwhile
            return List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    @Test
    void a_memfd_that_a_peer_holds_counts_until_the_peer_is_gone() {
        RegionSource source = memfds();
        HeapBuffer frame = source.allocate(HeapRequest.of(FRAME));
        OwnedFd peer = peer(frame);
        frame.release();
        assertEquals(Bytes.wholePages(FRAME), quarantined(source));
        peer.close();
        await("the range has its memory again", () -> free(source) == SIZE);
    }

    @Test
    void a_range_without_pages_is_not_reused_until_the_machine_has_pages() {
        RegionSource source = memfds();
        HeapBuffer frame = source.allocate(HeapRequest.of(FRAME));
        kernel.fail("madvise", Errno.ENOMEM);
        frame.release();
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(slice(FRAME)));
        assertTrue(refusal.getMessage().contains("11.9 MiB waiting to be zeroed"), refusal.getMessage());
        kernel.heal();
        HeapBuffer again = source.allocate(slice(FRAME));
        assertFilled(0, again);
        again.release();
    }

    @Test
    void a_memfd_that_cannot_be_created_returns_its_range() {
        RegionSource source = memfds();
        kernel.failNext("memfdCreate", Errno.EMFILE);
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(FRAME)));
        assertEquals(Errno.EMFILE, refusal.errno());
        HeapBuffer all = source.allocate(slice(SIZE));
        assertFilled(0, all);
        all.release();
    }

    @ParameterizedTest
    @CsvSource({
        "memfdCreate, EMFILE",
        "fallocate, ENOSPC",
        "fcntl, EPERM",
        "mmap, ENOMEM",
        "madvise, ENOMEM",
        "open(/dev/udmabuf), EACCES",
        "udmabufCreate, EINVAL",
        "dmaBufSetName, EFAULT",
        "dmaBufSync, EINVAL"
    })
    void a_fault_at_the_start_leaves_nothing(String call, Errno errno) {
        kernel.fail(call, errno);
        assertThrows(HeapException.class, this::udmabufs);
        before.assertNothingLeft();
    }

    @ParameterizedTest
    @CsvSource({
        "open(/dev/udmabuf), EACCES",
        "open(/dev/udmabuf), ENOENT",
        "udmabufCreate, EINVAL",
        "udmabufCreate, ENOTTY"
    })
    void without_udmabuf_the_reason_is_reported_and_memfds_are_exported(String call, Errno errno) {
        kernel.fail(call, errno);
        RegionSource source = open(layout(RegionLayout.Exports.AUTO));
        assertEquals("memfd", source.properties().get(HeapProperties.BACKEND));
        assertEquals(source.size(), source.properties().get(HeapProperties.SIZE_MAX));
        assertEquals(false, source.properties().get(HeapProperties.DMABUF));
        assertTrue(source.passedOver().contains(errno.meaning()), source.passedOver());
    }

    @ParameterizedTest
    @CsvSource({"open(/dev/udmabuf), EACCES", "open(/dev/udmabuf), ENOENT", "udmabufCreate, EINVAL"})
    void udmabuf_that_works_later_serves_later_buffers_and_earlier_ones_stay_as_they_are(String call, Errno errno) {
        kernel.fail(call, errno);
        RegionSource source = open(layout(RegionLayout.Exports.AUTO));
        HeapBuffer earlier = source.allocate(HeapRequest.of(MIB).withExport(ExportMode.READ_ONLY));
        fill(earlier, 7);
        int fd = earlier.descriptor();
        assertEquals(false, source.properties().get(HeapProperties.DMABUF));
        kernel.heal();
        kernel.offset = -1;

        assertEquals(true, source.properties().get(HeapProperties.DMABUF));
        assertEquals("udmabuf", source.properties().get(HeapProperties.BACKEND));
        assertEquals("", source.passedOver());
        HeapBuffer later = source.allocate(HeapRequest.of(MIB));
        later.descriptor();
        assertTrue(kernel.offset >= 0 && kernel.offset <= SIZE - MIB, "a dma-buf of its range");
        HeapRequest readOnly = HeapRequest.of(MIB).withExport(ExportMode.READ_ONLY);
        assertThrows(HeapException.class, () -> source.allocate(readOnly)); // holders of a dma-buf could write
        assertEquals(fd, earlier.descriptor());
        assertFilled(7, earlier);
        earlier.release();
        later.release();
        await("all is free", () -> free(source) == SIZE);
    }

    @Test
    void a_region_of_memfds_by_its_configuration_does_not_look_for_udmabuf() {
        RegionSource source = memfds();
        assertEquals(false, source.properties().get(HeapProperties.DMABUF));
    }

    @Test
    void a_shortage_at_a_later_look_for_udmabuf_changes_nothing() {
        kernel.fail(UdmabufKernel.OPEN, Errno.EACCES);
        RegionSource source = open(layout(RegionLayout.Exports.AUTO));
        String reason = source.passedOver();
        kernel.fail(UdmabufKernel.OPEN, Errno.EMFILE);
        assertEquals("memfd", source.properties().get(HeapProperties.BACKEND));
        assertEquals(reason, source.passedOver());
    }

    @ParameterizedTest
    @CsvSource({"udmabufCreate, EMFILE", "dmaBufSetName, EFAULT", "dmaBufSync, EINVAL"})
    void a_fault_at_an_export_loses_nothing_and_the_next_one_works(String call, Errno errno) {
        RegionSource source = udmabufs();
        HeapBuffer buffer = source.allocate(HeapRequest.of(MIB));
        HeldFiles allocated = new HeldFiles();
        kernel.failNext(call, errno);
        assertEquals(
                errno, assertThrows(HeapException.class, buffer::descriptor).errno());
        allocated.assertNothingLeft();
        assertTrue(buffer.descriptor() >= 0);
        buffer.release();
        await("all is free", () -> free(source) == SIZE);
    }

    @Test
    void sizes_are_rounded_up_to_chunks_and_chunks_do_not_fragment() {
        RegionSource source = open(layout(RegionLayout.Exports.UDMABUF).withChunk(MIB));
        assertEquals(MIB, source.properties().get(HeapProperties.SIZE_GRANULE));
        List<HeapBuffer> chunks = new ArrayList<>();
        for (int i = 0; i < SIZE / MIB; i++) {
            chunks.add(source.allocate(slice(1 + i)));
            assertEquals(MIB, chunks.getLast().size());
        }
        assertThrows(HeapException.class, () -> source.allocate(slice(1)));
        chunks.get(3).release();
        source.allocate(slice(MIB)).release();
        chunks.remove(3);
        chunks.forEach(HeapBuffer::release);
        HeapException tooLarge = assertThrows(HeapException.class, () -> source.allocate(slice(Long.MAX_VALUE / 2)));
        assertEquals(Errno.ENOMEM, tooLarge.errno());
    }

    @Test
    void the_map_shows_the_state_of_every_byte() {
        RegionSource source = udmabufs();
        HeapBuffer slice = source.allocate(slice(MIB));
        HeapBuffer exported = source.allocate(HeapRequest.of(2 * MIB));
        OwnedFd peer = peer(exported);
        exported.release();
        assertEquals(List.of("0 1 USED", "1 2 QUARANTINED", "3 13 FREE"), stretches(source));
        assertEquals(SIZE, source.size());
        assertEquals(0.0, source.usage().fragmentation().orElseThrow());
        peer.close();
        slice.release();
    }

    private static List<String> stretches(RegionSource source) {
        List<String> found = new ArrayList<>();
        source.forEachStretch(stretch -> found.add(stretch.offset() / MIB + " " + stretch.size() / MIB + " "
                + stretch.state() + stretch.client().map(id -> " " + id).orElse("")
                + stretch.buffer().map(name -> " " + name).orElse("")));
        return found;
    }

    private static HeapRequest of(String client, long size, String name) {
        AllocationRequest request = AllocationRequest.of(size).withName(name);
        return HeapRequest.of(request, Optional.of(ClientId.ofBundle(client, "file:" + client)));
    }

    @Test
    void the_map_names_client_and_buffer_also_while_the_range_is_quarantined_and_not_afterwards() {
        for (RegionSource source : List.of(udmabufs(), memfds())) {
            HeapBuffer slice = source.allocate(of("scanner", MIB, "page").withExport(ExportMode.NONE));
            HeapBuffer frame = source.allocate(of("camera", 2 * MIB, "frame 7"));
            HeapBuffer nameless = source.allocate(slice(MIB));
            OwnedFd peer = peer(frame);
            frame.release();
            slice.release();
            await("the first range is free", () -> stretches(source).getFirst().equals("0 1 FREE"));
            assertEquals(
                    List.of("0 1 FREE", "1 2 QUARANTINED camera frame 7", "3 1 USED", "4 12 FREE"), stretches(source));
            peer.close();
            await("the range is free", () -> free(source) == SIZE - MIB);
            assertEquals(List.of("0 3 FREE", "3 1 USED", "4 12 FREE"), stretches(source));

            HeapBuffer next = source.allocate(of("scanner", 2 * MIB, "sheet"));
            assertEquals(List.of("0 2 USED scanner sheet", "2 1 FREE", "3 1 USED", "4 12 FREE"), stretches(source));
            next.release();
            nameless.release();
        }
    }

    @Test
    void threads_never_see_each_others_bytes_and_all_is_free_at_the_end() throws Exception {
        RegionSource source = udmabufs();
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Future<?>> work = new ArrayList<>();
            for (int thread = 1; thread <= 8; thread++) {
                int value = thread;
                work.add(threads.submit(() ->
                        tenant(value, random -> source.allocate(slice(1 + random.nextLong(3 * MIB))))));
            }
            for (Future<?> one : work) {
                one.get();
            }
        }
        await("all is free", () -> free(source) == SIZE);
        int[] free = {0};
        source.forEachStretch(stretch -> {
            assertEquals(RegionMap.State.FREE, stretch.state());
            free[0]++;
        });
        assertEquals(1, free[0]);
    }

    @Test
    void threads_with_memfds_and_slices_leave_a_free_and_backed_region() throws Exception {
        RegionSource source = memfds();
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Future<?>> work = new ArrayList<>();
            for (int thread = 1; thread <= 8; thread++) {
                int value = thread;
                work.add(threads.submit(() -> tenant(
                        value,
                        random -> random.nextBoolean()
                                ? source.allocate(slice(1 + random.nextLong(3 * MIB)))
                                : source.allocate(HeapRequest.of((1 + random.nextInt(3)) * MIB)))));
            }
            for (Future<?> one : work) {
                one.get();
            }
        }
        await("all is free", () -> free(source) == SIZE);
        assertEquals(SIZE, source.usage().largestFree().orElseThrow());
        assertEquals(SIZE, memoryBehind("camera", SIZE));
    }

    private static void tenant(int value, Function<Random, HeapBuffer> allocation) {
        Random random = new Random(value);
        for (int i = 0; i < 300; i++) {
            HeapBuffer buffer;
            try {
                buffer = allocation.apply(random);
            } catch (HeapException full) {
                assertEquals(Errno.ENOMEM, full.errno());
                continue;
            }
            assertFilled(0, buffer);
            fill(buffer, value);
            assertFilled(value, buffer);
            buffer.release();
        }
    }
}
