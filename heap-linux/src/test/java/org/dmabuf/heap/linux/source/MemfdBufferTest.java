// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

class MemfdBufferTest {
    private static final long SIZE = 2 * Bytes.PAGE;
    private static final long LARGE = Bytes.PAGE;
    private static final long ROOM = 1 << 20;

    private final CountedSyscalls syscalls = new CountedSyscalls();
    private final Headroom headroom = MadeUpHeadroom.of(() -> ROOM, () -> 0);
    private final LargeFolios folios = new LargeFolios("camera", Syscalls.linux());

    private MemfdBuffer make(boolean exportable) {
        int fd = new Memfd(syscalls.calling()).create("camera", "frame", SIZE, Memfd.F_SEAL_SEAL);
        return new MemfdBuffer(
                syscalls.calling(),
                new Mmap(syscalls.calling()),
                headroom,
                folios,
                "camera",
                new NewMemfd(fd, LARGE),
                SIZE,
                exportable);
    }

    @Test
    void each_map_call_creates_a_mapping_of_the_same_memory() {
        MemfdBuffer buffer = make(true);
        MemorySegment one = buffer.map(Access.READ_WRITE);
        MemorySegment other = buffer.map(Access.READ);
        assertNotEquals(one.address(), other.address());
        one.set(ValueLayout.JAVA_BYTE, SIZE - 1, (byte) 7);
        buffer.unmap(one);
        buffer.release();
        assertEquals(7, other.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        buffer.unmap(other);
    }

    @Test
    void a_buffer_without_export_has_no_descriptor() {
        MemfdBuffer buffer = make(false);
        assertThrows(HeapException.class, buffer::descriptor);
        buffer.release();
    }

    @Test
    void it_counts_as_held_until_its_release_and_for_as_long_as_its_descriptor_is_tracked() {
        MemfdBuffer buffer = make(true);
        int fd = buffer.descriptor();
        assertEquals(SIZE, Syscalls.linux().size(fd));
        HeldMemory held = HeldMemory.of(fd);
        buffer.release();
        assertEquals(SIZE, MadeUpHeadroom.held(headroom));
        assertEquals(LARGE, folios.held().get());
        assertEquals(1, syscalls.count("close"));
        assertNull(HeldMemory.of(fd), "the number is free for another");
        held.letGo();
        assertEquals(0, MadeUpHeadroom.held(headroom));
        assertEquals(0, folios.held().get());
    }
}
