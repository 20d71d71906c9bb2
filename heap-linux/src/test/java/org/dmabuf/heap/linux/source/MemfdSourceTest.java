// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Tests of a source's reservations of the machine's memory, and of refused calls. The contract of heap-tck checks its
 * buffers.
 */
class MemfdSourceTest {
    private static final long ROOM = 10 * Bytes.PAGE;

    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final AtomicLong clock = new AtomicLong();
    private final Headroom headroom = MadeUpHeadroom.of(() -> ROOM, clock::get);
    private final MemfdSource source = MemfdSource.open("camera", syscalls.calling(), headroom);

    private HeapBuffer allocate(long size) {
        return source.allocate(HeapRequest.of(size));
    }

    @Test
    void more_than_the_machine_has_is_refused_before_any_system_call() {
        long already = syscalls.count("memfdCreate");
        for (long size : new long[] {ROOM + 1, 1L << 46, Long.MAX_VALUE - (128 << 10)}) {
            HeapException refusal = assertThrows(HeapException.class, () -> allocate(size));
            assertEquals(Errno.ENOMEM, refusal.errno());
        }
        assertEquals(already, syscalls.count("memfdCreate"));
        allocate(ROOM).release();
    }

    @Test
    void the_size_in_whole_pages_counts() {
        assertThrows(HeapException.class, () -> allocate(ROOM + 1));
        allocate(ROOM - Bytes.PAGE + 1).release();
    }

    @Test
    void the_reservation_of_a_created_buffer_has_ended() {
        for (int i = 0; i < 100; i++) {
            allocate(Bytes.PAGE).release();
            source.allocate(HeapRequest.of(1).withExport(ExportMode.READ_ONLY)).release();
        }
    }

    @Test
    void the_reservation_of_a_failed_allocation_has_ended() {
        syscalls.answer("fallocate", -Errno.ENOSPC.number());
        for (int i = 0; i < 100; i++) {
            HeapException refusal = assertThrows(HeapException.class, () -> allocate(Bytes.PAGE));
            assertEquals(
                    "heap 'camera': fallocate refused a buffer of " + Bytes.text(Bytes.PAGE)
                            + ": no space left on device; ask for less, close buffers, or raise a limit of the cgroup"
                            + " (memory.max, MemoryMax= in a unit)",
                    refusal.getMessage());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"EINVAL", "EPERM", "EACCES", "ENOSYS"})
    void without_madvise_buffers_are_made_and_mapped(Errno refusal) {
        syscalls.answer("madvise", -refusal.number());
        for (ExportMode export : ExportMode.values()) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(2 * Bytes.PAGE).withExport(export));
            MemorySegment mapping = buffer.map(Access.READ);
            assertEquals(0, mapping.get(ValueLayout.JAVA_BYTE, Bytes.PAGE));
            buffer.unmap(mapping);
            buffer.release();
        }
    }

    @Test
    void a_page_that_the_machine_does_not_promise_is_a_shortage() {
        syscalls.answer("madvise", -Errno.EFAULT.number());
        HeapBuffer buffer = allocate(Bytes.PAGE);
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains("cannot allocate memory; ask for less"), refusal.getMessage());
        buffer.release();

        HeapRequest kept = HeapRequest.of(Bytes.PAGE).withExport(ExportMode.READ_ONLY);
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> source.allocate(kept)).errno());
    }

    @ParameterizedTest
    @CsvSource({
        "memfdCreate, EPERM, EPERM, permit memfd_create in SystemCallFilter=",
        "memfdCreate, ENOSYS, ENOSYS, permit memfd_create in SystemCallFilter=",
        "fallocate, EPERM, EPERM, permit fallocate in SystemCallFilter=",
        "fallocate, ENOSYS, ENOSYS, permit fallocate in SystemCallFilter=",
        "fallocate, EFBIG, ENOMEM, LimitFSIZE=",
    })
    void a_call_that_a_sandbox_or_a_limit_refuses_is_named_with_the_remedy(
            String call, Errno kernel, Errno errno, String remedy) {
        syscalls.answer(call, -kernel.number());
        HeapException refusal = assertThrows(HeapException.class, () -> allocate(Bytes.PAGE));
        assertEquals(errno, refusal.errno());
        assertTrue(refusal.getMessage().contains(remedy), refusal.getMessage());
    }

    @Test
    void the_usage_is_the_headroom() {
        assertEquals(ROOM, source.usage().free().orElseThrow());
        allocate(3 * Bytes.PAGE).release();
        assertEquals(ROOM - 3 * Bytes.PAGE, source.usage().free().orElseThrow());
        clock.addAndGet(51_000_000);
        assertEquals(ROOM, source.usage().free().orElseThrow());
    }
}
