// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of the location and the memory of buffers. The contract of heap-tck checks their behaviour as buffers. */
class EmulatedCmaSourceTest {
    private static final long K = 1 << 10;
    private static final long MIB = 1 << 20;
    private static final long SIZE = 16 * MIB;
    private static final RegionLayout LAYOUT =
            RegionLayout.of(SIZE, "its size").withAlignmentCap(MIB).withExports(RegionLayout.Exports.MEMFD);

    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final AtomicLong room = new AtomicLong(1L << 40);
    private final AtomicLong clock = new AtomicLong();
    private final Headroom headroom = MadeUpHeadroom.of(() -> room.get(), clock::get);
    private final AtomicBoolean takesBack = new AtomicBoolean(true);
    private final Syscalls kernel = (Syscalls) Proxy.newProxyInstance(
            Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                boolean punches = method.getName().equals("fallocate") && (int) a[1] != 0;
                return punches && !takesBack.get() ? -Errno.ENOMEM.number() : method.invoke(syscalls.calling(), a);
            });
    private final EmulatedCmaSource source = EmulatedCmaSource.open("camera", LAYOUT, kernel, headroom);

    private HeapBuffer range(long size) {
        return source.allocate(HeapRequest.of(size).withExport(ExportMode.NONE));
    }

    private HeapBuffer exportable(long size) {
        return source.allocate(HeapRequest.of(size));
    }

    private long offset(HeapBuffer buffer) {
        List<Long> found = new ArrayList<>();
        source.forEachStretch(stretch -> {
            if (stretch.state() == RegionMap.State.USED && stretch.size() == buffer.size()) {
                found.add(stretch.offset());
            }
        });
        assertEquals(1, found.size(), "buffers of that size");
        return found.getFirst();
    }

    private long free() {
        return source.usage().free().orElseThrow();
    }

    @AfterEach
    void close() {
        source.close();
    }

    @Test
    void an_impossible_layout_and_an_inapplicable_request_are_refused() {
        long made = syscalls.count("memfdCreate");
        for (RegionLayout none : List.of(
                LAYOUT.withAlignmentCap(0),
                LAYOUT.withAlignmentCap(3 * Bytes.PAGE),
                LAYOUT.withPageSize(2 * MIB),
                LAYOUT.withGranule(MIB),
                LAYOUT.withChunk(MIB))) {
            HeapException refusal =
                    assertThrows(HeapException.class, () -> EmulatedCmaSource.open("camera", none, kernel, headroom));
            assertEquals(Errno.EINVAL, refusal.errno());
        }
        assertEquals(made, syscalls.count("memfdCreate"));
    }

    @Test
    void a_released_buffer_exports_no_descriptor_of_reused_memory() {
        HeapBuffer buffer = exportable(MIB);
        buffer.release();
        assertThrows(IllegalStateException.class, buffer::descriptor);
    }

    @ParameterizedTest
    @CsvSource({
        "8, 8",
        "12, 16",
        "16, 16",
        "20, 32",
        "36, 64",
        "68, 128",
        "132, 256",
        "260, 512",
        "516, 1024",
        "1028, 1024",
        "2052, 1024",
        "4100, 1024"
    })
    void a_buffer_is_aligned_to_the_order_of_its_size_up_to_the_cap(long kib, long alignment) {
        assumeTrue(kib * K > Bytes.PAGE, "on this page size, the buffer has a page, as the one before it");
        HeapBuffer before = range(4 * K);
        HeapBuffer buffer = range(kib * K);
        assertEquals(alignment * K, offset(buffer)); // the first aligned offset behind the page
        buffer.release();
        before.release();
    }

    @Test
    void without_a_sufficient_run_a_request_is_refused_although_bytes_are_free() {
        List<HeapBuffer> pieces = new ArrayList<>();
        for (int i = 0; i < SIZE / (512 * K); i++) {
            pieces.add(range(512 * K));
        }
        for (int i = 0; i < pieces.size(); i += 2) {
            pieces.get(i).release();
        }
        assertEquals(SIZE / 2, free());
        assertEquals(512 * K, source.usage().largestFree().orElseThrow());
        for (ExportMode mode : List.of(ExportMode.NONE, ExportMode.READ_WRITE)) {
            HeapRequest request = HeapRequest.of(MIB).withExport(mode);
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(
                    "heap 'camera': 1 MiB in one piece, aligned to 1 MiB, does not fit: 8 MiB free, largest run 512"
                            + " KiB; raise its size or close a buffer",
                    refusal.getMessage());
        }
        for (int i = 1; i < pieces.size(); i += 2) {
            pieces.get(i).release();
        }
        range(SIZE).release();
    }

    @Test
    void the_reported_largest_run_fits_and_a_page_more_does_not() {
        HeapBuffer page = range(Bytes.PAGE);
        long largest = source.usage().largestFree().orElseThrow();
        assertEquals(SIZE - MIB, largest);
        assertThrows(HeapException.class, () -> range(largest + Bytes.PAGE));
        range(largest).release();
        page.release();
    }

    @Test
    void the_region_has_memory_only_where_it_has_buffers() {
        assertEquals(0, source.occupied());
        HeapBuffer one = range(3 * MIB);
        assertEquals(3 * MIB, source.occupied());
        HeapBuffer two = range(MIB);
        assertEquals(4 * MIB, source.occupied());
        one.release();
        assertEquals(MIB, source.occupied());
        HeapBuffer own = exportable(2 * MIB);
        assertEquals(MIB, source.occupied());
        assertEquals(SIZE - 3 * MIB, free()); // but the range is allocated
        own.release();
        two.release();
        assertEquals(0, source.occupied());
        assertEquals(SIZE, free());
    }

    @Test
    void a_reused_range_is_zeroed() {
        HeapBuffer first = range(SIZE);
        first.map(Access.READ_WRITE).fill((byte) 0x5a);
        first.release();
        HeapBuffer second = range(SIZE);
        MemorySegment mapping = second.map(Access.READ);
        for (long offset = 0; offset < SIZE; offset += Long.BYTES) {
            assertEquals(0, mapping.get(ValueLayout.JAVA_LONG, offset));
        }
        second.release();
    }

    @Test
    void a_peer_that_outlives_its_buffer_keeps_its_memory_and_not_the_range() {
        HeapBuffer buffer = exportable(SIZE);
        int peer = Syscalls.linux().fcntl(buffer.descriptor(), 1030, 0); // F_DUPFD_CLOEXEC
        try {
            MemorySegment mapping = buffer.map(Access.READ_WRITE);
            mapping.set(ValueLayout.JAVA_LONG, 0, 42);
            buffer.unmap(mapping);
            buffer.release();
            assertEquals(SIZE, free());

            HeapBuffer next = exportable(SIZE);
            assertNotEquals(Syscalls.linux().inode(peer), Syscalls.linux().inode(next.descriptor()));
            Mmap mmap = new Mmap(Syscalls.linux());
            MemorySegment old = mmap.map("peer", peer, SIZE, Access.READ_WRITE);
            assertEquals(42, old.get(ValueLayout.JAVA_LONG, 0));
            old.set(ValueLayout.JAVA_LONG, 8, 43);
            MemorySegment fresh = next.map(Access.READ);
            assertEquals(0, fresh.get(ValueLayout.JAVA_LONG, 0));
            assertEquals(0, fresh.get(ValueLayout.JAVA_LONG, 8));
            next.unmap(fresh);
            mmap.unmap(old);
            next.release();
        } finally {
            Syscalls.linux().close(peer);
        }
    }

    @Test
    void a_size_above_the_machines_memory_is_refused_and_the_range_stays_free() {
        room.set(MIB);
        clock.addAndGet(51_000_000);
        for (ExportMode mode : List.of(ExportMode.NONE, ExportMode.READ_WRITE)) {
            HeapRequest request = HeapRequest.of(2 * MIB).withExport(mode);
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(refusal.getMessage().contains("a fictitious machine"), refusal.getMessage());
            assertEquals(SIZE, free());
        }
        range(MIB).release();
    }

    @Test
    void a_refusal_by_the_kernel_leaves_nothing_behind() {
        AtomicInteger left = new AtomicInteger(1);
        syscalls.answerEach(
                "madvise", () -> left.getAndDecrement() > 0 ? -Errno.EINTR.number() : -Errno.EFAULT.number());
        HeapException refusal = assertThrows(HeapException.class, () -> range(2 * MIB));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(SIZE, free());
        assertEquals(0, source.occupied());
    }

    @Test
    void a_range_whose_release_fails_is_not_reused_until_it_succeeds() {
        HeapBuffer buffer = range(SIZE);
        buffer.map(Access.READ_WRITE).fill((byte) 0x5a);
        takesBack.set(false);
        buffer.release();
        assertEquals(0, free());
        HeapException refusal = assertThrows(HeapException.class, () -> range(Bytes.PAGE));
        assertTrue(
                refusal.getMessage().contains("0 bytes free, largest run 0 bytes, 16 MiB whose release" + " failed"),
                refusal.getMessage());
        takesBack.set(true);
        HeapBuffer next = range(Bytes.PAGE);
        assertEquals(0, next.map(Access.READ).get(ValueLayout.JAVA_LONG, 0));
        assertEquals(Bytes.PAGE, source.occupied());
        next.release();
    }

    @Test
    void a_region_that_cannot_be_created_leaves_nothing_open() {
        for (String call : List.of("memfdCreate", "fallocate", "fcntl", "mmap")) {
            CountedSyscalls faulty = new CountedSyscalls();
            Object answer = call.equals("mmap") ? (Object) (long) -Errno.ENOMEM.number() : -Errno.ENOMEM.number();
            faulty.answer(call, answer);
            HeapException refusal = assertThrows(
                    HeapException.class, () -> EmulatedCmaSource.open("camera", LAYOUT, faulty.calling(), headroom));
            assertEquals(Errno.ENOMEM, refusal.errno(), call);
            assertEquals(call.equals("memfdCreate") ? 0 : 1, faulty.count("close"), call);
        }
    }

    @Test
    void buffers_outlive_the_source_and_the_region_ends_with_the_last() {
        HeapBuffer one = range(MIB);
        HeapBuffer two = range(MIB);
        source.close();
        source.close();
        HeapException refusal = assertThrows(HeapException.class, () -> range(MIB));
        assertEquals(Errno.ENODEV, refusal.errno());
        one.release();
        one.release();
        two.map(Access.READ_WRITE).fill((byte) 1);
        long already = syscalls.count("munmap");
        two.release();
        assertEquals(already + 1, syscalls.count("munmap"));
    }
}
