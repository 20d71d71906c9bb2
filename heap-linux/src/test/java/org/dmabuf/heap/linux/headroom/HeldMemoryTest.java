// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.headroom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.holder.HolderWatch;
import org.dmabuf.heap.linux.machine.MachineMemory;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of which memory counts in full, from its creation to its end. */
class HeldMemoryTest {
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final long SIZE = 16 * Bytes.PAGE;

    private final CountedSyscalls kernel = new CountedSyscalls();
    private final Headroom headroom =
            new Headroom(_ -> new MachineMemory.Reading(1L << 40, "a fictitious machine"), 0, () -> 0);
    private final HolderTracker holders = new HolderTracker();

    @AfterEach
    void nothing_is_held() {
        holders.close();
        assertEquals(0, headroom.held());
    }

    private MemfdSource memfds() {
        return MemfdSource.open("camera", kernel.calling(), headroom);
    }

    private static int descriptorOfPeer(HeapBuffer buffer) {
        return Syscalls.linux().fcntl(buffer.descriptor(), F_DUPFD_CLOEXEC, 0);
    }

    private void untilHeld(long bytes) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (headroom.held() != bytes) {
            assertTrue(System.nanoTime() - deadline < 0, () -> headroom.held() + " bytes are held");
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = ExportMode.class,
            names = {"READ_ONLY", "READ_WRITE"})
    void a_buffer_counts_from_its_creation_to_its_release(ExportMode mode) {
        HeapBuffer buffer = memfds().allocate(HeapRequest.of(SIZE).withExport(mode));
        assertEquals(SIZE, headroom.held());
        buffer.descriptor();
        buffer.release();
    }

    @ParameterizedTest
    @ValueSource(strings = {"memfdCreate", "fallocate", "fcntl", "mmap", "madvise", "open"})
    void a_buffer_that_was_not_created_does_not_count(String call) {
        MemfdSource source = memfds();
        kernel.answer(call, call.equals("mmap") ? (Object) (long) -Errno.EMFILE.number() : -Errno.EMFILE.number());
        assertThrows(
                HeapException.class, () -> source.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY)));
    }

    /** The memory counts at every moment, because the reading happens within the release. */
    @Test
    void memory_that_peers_hold_counts_without_a_gap_until_the_last_holder_is_gone() {
        HeapBuffer buffer = memfds().allocate(HeapRequest.of(SIZE));
        HolderWatch watch = holders.watch("camera", SIZE, buffer.descriptor());
        int peer = descriptorOfPeer(buffer);
        assertEquals(SIZE, headroom.held());
        kernel.answerEach("close", () -> {
            assertEquals(SIZE, headroom.held());
            return Syscalls.linux().close(buffer.descriptor());
        });
        buffer.release();
        assertEquals(SIZE, headroom.held());
        watch.whenGone(() -> {});
        assertEquals(SIZE, headroom.held());
        Syscalls.linux().close(peer);
        untilHeld(0);
    }

    @Test
    void memory_that_is_tracked_twice_counts_once() {
        HeapBuffer buffer = memfds().allocate(HeapRequest.of(SIZE));
        int peer = descriptorOfPeer(buffer);
        try (HolderTracker others = new HolderTracker()) {
            HolderWatch one = holders.watch("camera", SIZE, buffer.descriptor());
            HolderWatch two = others.watch("camera", SIZE, buffer.descriptor());
            buffer.release();
            assertEquals(SIZE, headroom.held());
            one.close();
            assertEquals(SIZE, headroom.held());
            two.close();
            assertEquals(0, headroom.held());
        }
        Syscalls.linux().close(peer);
    }

    @Test
    void memory_that_is_no_longer_tracked_does_not_count() {
        HeapBuffer buffer = memfds().allocate(HeapRequest.of(SIZE));
        int peer = descriptorOfPeer(buffer);
        holders.watch("camera", SIZE, buffer.descriptor()).whenGone(() -> {});
        buffer.release();
        assertEquals(SIZE, headroom.held());
        holders.close();
        assertEquals(0, headroom.held());
        Syscalls.linux().close(peer);
    }

    @Test
    void a_reused_descriptor_number_counts_for_its_new_memory() {
        HeapBuffer old = memfds().allocate(HeapRequest.of(SIZE));
        old.descriptor();
        old.release();
        HeapBuffer next = memfds().allocate(HeapRequest.of(2 * SIZE));
        HolderWatch watch = holders.watch("camera", 2 * SIZE, next.descriptor());
        next.release();
        watch.whenGone(() -> {});
        untilHeld(0);
    }

    @Test
    void a_second_release_counts_once() {
        HeapBuffer buffer = memfds().allocate(HeapRequest.of(SIZE));
        HeapBuffer other = memfds().allocate(HeapRequest.of(SIZE));
        kernel.answer("close", -Errno.EBADF.number());
        int fd = buffer.descriptor();
        buffer.release();
        buffer.release();
        assertEquals(SIZE, headroom.held());
        Syscalls.linux().close(fd);
        Syscalls.linux().close(other.descriptor());
        other.release();
    }

    @Test
    void a_carveout_counts_while_it_exists_and_each_of_its_bytes_once() {
        RegionSource region = RegionSource.open(
                "camera",
                RegionLayout.of(4 * SIZE, "size").withExports(RegionLayout.Exports.MEMFD),
                kernel.calling(),
                headroom);
        assertEquals(4 * SIZE, headroom.held());
        HeapBuffer slice = region.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE));
        assertEquals(4 * SIZE, headroom.held());
        HeapBuffer unbacked = region.allocate(HeapRequest.of(SIZE)); // has separate memory, and its range is empty
        assertEquals(4 * SIZE, headroom.held());
        int peer = descriptorOfPeer(unbacked);
        unbacked.release();
        assertEquals(4 * SIZE, headroom.held());
        Syscalls.linux().close(peer);
        region.close();
        assertTrue(headroom.held() >= 3 * SIZE); // the empty range may be backed again already
        slice.release();
        untilHeld(0);
    }

    @Test
    void a_region_that_closes_with_an_empty_range_leaves_nothing_counted() {
        RegionSource region = RegionSource.open(
                "camera",
                RegionLayout.of(4 * SIZE, "size").withExports(RegionLayout.Exports.MEMFD),
                kernel.calling(),
                headroom);
        HeapBuffer unbacked = region.allocate(HeapRequest.of(SIZE));
        region.close();
        unbacked.release();
    }

    @Test
    void an_emulated_cma_region_counts_only_where_it_has_buffers() {
        EmulatedCmaSource region = EmulatedCmaSource.open(
                "cma",
                RegionLayout.of(4 * SIZE, "size").withAlignmentCap(Bytes.PAGE).withExports(RegionLayout.Exports.MEMFD),
                kernel.calling(),
                headroom);
        assertEquals(0, headroom.held());
        HeapBuffer own = region.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE));
        HeapBuffer unbacked = region.allocate(HeapRequest.of(SIZE));
        assertEquals(2 * SIZE, headroom.held());
        unbacked.release();
        assertEquals(SIZE, headroom.held());
        kernel.answer("fallocate", -Errno.ENOMEM.number());
        own.release(); // the kernel does not take its pages back
        assertEquals(SIZE, headroom.held());
        region.close();
        assertEquals(0, headroom.held());
    }

    @Test
    void a_range_of_it_that_could_not_be_filled_does_not_count() {
        EmulatedCmaSource region = EmulatedCmaSource.open(
                "cma",
                RegionLayout.of(4 * SIZE, "size").withAlignmentCap(Bytes.PAGE).withExports(RegionLayout.Exports.MEMFD),
                kernel.calling(),
                headroom);
        kernel.answer("madvise", -Errno.ENOMEM.number());
        assertThrows(
                HeapException.class, () -> region.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE)));
        assertEquals(0, headroom.held());
        assertEquals(4 * SIZE, region.usage().free().orElseThrow());
        region.close();
    }

    @Test
    void pooled_memory_counts() {
        MemorySource pooled = PooledSource.over(
                memfds(),
                "camera",
                kernel.calling(),
                headroom,
                PoolBudget.none().withRecycled(SIZE));
        pooled.allocate(HeapRequest.of(SIZE).withExport(ExportMode.NONE)).release();
        assertEquals(SIZE, headroom.held());
        pooled.trim(SIZE);
        assertEquals(0, headroom.held());
        pooled.close();
    }

    @Test
    void secret_memory_cannot_be_punched_and_does_not_count() {
        SecretSource source = SecretSource.open("secure", kernel.calling(), headroom, false);
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        assertEquals(0, headroom.held());
        buffer.release();
    }
}
