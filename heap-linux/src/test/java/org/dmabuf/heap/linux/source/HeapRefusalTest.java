// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapShortageException;
import org.junit.jupiter.api.Test;

class HeapRefusalTest {
    @Test
    void each_refusal_names_the_heap_the_size_and_the_remedy() {
        HeapException noRoom = HeapRefusal.noRoom("frames", 8192, 4096);
        assertEquals(HeapShortageException.class, noRoom.getClass());
        assertEquals(
                "heap 'frames': 8192 bytes do not fit: 4 KiB free; ask for less, or close buffers",
                noRoom.getMessage());
        HeapException notExportable = HeapRefusal.notExportable("frames", 8192);
        assertEquals(Errno.ENOTSUP, notExportable.errno());
        assertEquals(
                "heap 'frames': a buffer of 8 KiB was allocated with ExportMode.NONE and has no descriptor to give;"
                        + " allocate it with READ_ONLY or READ_WRITE",
                notExportable.getMessage());
        HeapException notMappable = HeapRefusal.notMappable("frames", 8192);
        assertEquals(Errno.EINVAL, notMappable.errno());
        assertEquals(
                "heap 'frames': a buffer of 8 KiB cannot be mapped, because the CPU cannot access its memory; pass"
                        + " its descriptor to a device, or use a heap whose heap.mappable is true",
                notMappable.getMessage());
    }
}
