// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PooledMemoryTest {
    private static final long SIZE = 100;

    private static PooledMemory make(FakeBuffer buffer) {
        return PooledMemory.make(_ -> buffer, "camera", HeapRequest.of(SIZE));
    }

    @Test
    void it_counts_the_bytes_of_the_buffer_and_is_found_by_the_requested_bytes() {
        PooledMemory memory = make(new FakeBuffer(SIZE + 28));
        assertEquals(SIZE, memory.asked);
        assertEquals(SIZE + 28, memory.bytes);
    }

    @Test
    void a_buffer_below_the_requested_size_is_released_and_refused() {
        FakeBuffer small = new FakeBuffer(SIZE - 1);
        HeapException refusal = assertThrows(HeapException.class, () -> make(small));
        assertEquals(Errno.EIO, refusal.errno());
        assertEquals(1, small.released);
    }

    /** For a process at its limit of mappings, another heap is no remedy. */
    @ParameterizedTest
    @CsvSource({"ENOMEM,EAGAIN", "EACCES,EACCES"})
    void memory_that_cannot_be_mapped_is_released_and_refused(Errno kernel, Errno expected) {
        FakeBuffer unmappable = new FakeBuffer(SIZE) {
            @Override
            public MemorySegment map(Access access) {
                throw HeapException.of(kernel, "camera", "made up");
            }
        };
        HeapException refusal = assertThrows(HeapException.class, () -> make(unmappable));
        assertEquals(expected, refusal.errno());
        assertEquals("heap 'camera': made up", refusal.getMessage());
        assertEquals(1, unmappable.released);
        assertEquals(0, unmappable.unmapped);
    }

    @Test
    void a_failed_unmap_does_not_keep_the_memory() {
        FakeBuffer bad = new FakeBuffer(SIZE) {
            @Override
            public void unmap(MemorySegment mapping) {
                throw new IllegalStateException("made up");
            }
        };
        assertThrows(IllegalStateException.class, make(bad)::release);
        assertEquals(1, bad.released);
    }
}
