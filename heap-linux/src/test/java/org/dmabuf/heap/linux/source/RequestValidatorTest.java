// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.Test;

/** Tests of the messages of each source for invalid requests. */
class RequestValidatorTest {
    private static final long SIZE = 8192;
    private static final Headroom PLENTY = MadeUpHeadroom.of(() -> 1L << 40, System::nanoTime);

    private final CountedSyscalls kernel = new CountedSyscalls();

    private interface Use {
        void of(MemorySource source);
    }

    /** The pools and the regions, which check a request before a memfd source does, and that source. */
    private void forEachSource(Use use) {
        Syscalls syscalls = kernel.calling();
        RegionLayout layout = RegionLayout.of(1 << 20, "size").withExports(RegionLayout.Exports.MEMFD);
        List<MemorySource> sources = new ArrayList<>();
        try {
            sources.add(MemfdSource.open("camera", syscalls, PLENTY));
            sources.add(RegionSource.open("camera", layout, syscalls, PLENTY));
            sources.add(EmulatedCmaSource.open("camera", layout.withAlignmentCap(1 << 20), syscalls, PLENTY));
            sources.add(PooledSource.over(
                    MemfdSource.open("camera", syscalls, PLENTY),
                    "camera",
                    syscalls,
                    PLENTY,
                    PoolBudget.none().withRecycled(1 << 20)));
            sources.forEach(use::of);
        } finally {
            sources.forEach(MemorySource::close);
        }
    }

    private void assertRefused(HeapRequest request, String sentence) {
        forEachSource(source -> {
            long made = kernel.count("memfdCreate");
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
            assertEquals(Errno.EINVAL, refusal.errno());
            assertEquals(sentence, refusal.getMessage());
            assertEquals(made, kernel.count("memfdCreate"));
        });
    }

    @Test
    void a_request_that_is_null_is_refused_by_each_source() {
        assertRefused(null, "heap 'camera': invalid request = null: expected a HeapRequest");
    }

    @Test
    void an_alignment_above_the_announced_one_is_refused_by_each_source() {
        long alignment = 1L << 40;
        for (ExportMode mode : ExportMode.values()) {
            forEachSource(source -> {
                long made = kernel.count("memfdCreate");
                HeapRequest request =
                        HeapRequest.of(SIZE).withAlignment(alignment).withExport(mode);
                HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
                assertEquals(Errno.EINVAL, refusal.errno());
                assertEquals(
                        "heap 'camera': 8192 bytes were refused: memory is aligned to "
                                + source.properties().get(HeapProperties.ALIGNMENT) + " bytes, not to " + alignment
                                + "; use a heap with a larger heap.alignment",
                        refusal.getMessage());
                assertEquals(made, kernel.count("memfdCreate"));
            });
        }
    }

    @Test
    void a_read_only_export_is_refused_by_a_heap_without_one() {
        RequestValidator validator = new RequestValidator("camera", "each holder of it can write to it");
        HeapRequest request = HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY);
        HeapException refusal = assertThrows(HeapException.class, () -> validator.wholePages(request));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'camera': 8192 bytes were refused: the heap has no read-only export, because each holder of"
                        + " it can write to it; use READ_WRITE, or a heap whose heap.export.readonly is true",
                refusal.getMessage());
        assertEquals(SIZE, validator.wholePages(HeapRequest.of(SIZE - 1)));
        assertEquals(SIZE, new RequestValidator("camera", "").wholePages(request));
    }
}
