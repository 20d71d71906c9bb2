// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

/** What is wrong with a request to any heap, in what each source says. */
class RequestValidatorTest {
    private static final long SIZE = 8192;
    private static final Headroom PLENTY =
            MadeUpHeadroom.of(() -> 1L << 40, System::nanoTime);

    private final CountedSyscalls kernel = new CountedSyscalls();

    private interface Use {
        void of(MemorySource source);
    }

    /** The pools and the regions, which look at a request before a memfd source does, and that source. */
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
                    PoolBudget.none().recycled(1 << 20)));
            sources.forEach(use::of);
        } finally {
            sources.forEach(MemorySource::close);
        }
    }

    private void assertRefused(Request request, String why) {
        forEachSource(source -> {
            long made = kernel.count("memfdCreate");
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(request));
            assertEquals(Errno.EINVAL, refusal.errno());
            assertTrue(refusal.getMessage().startsWith("heap 'camera' refused "), refusal.getMessage());
            assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
            assertEquals(made, kernel.count("memfdCreate"));
        });
    }

    @Test
    void a_size_that_no_buffer_has_is_refused_by_each_source() {
        for (long size : new long[] {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE - 4095}) {
            assertRefused(new Request(size), "no buffer has that size");
            assertRefused(new Request(size, false), "no buffer has that size");
        }
    }

    @Test
    void an_alignment_that_is_no_power_of_two_is_refused_by_each_source() {
        for (long alignment : new long[] {0, -1, -8, 3, 12, Long.MIN_VALUE}) {
            for (boolean exportable : new boolean[] {false, true}) {
                assertRefused(
                        new Request(SIZE, alignment, 0, exportable, Access.READ_WRITE, ""),
                        "an alignment of " + alignment + " bytes is no power of two");
            }
        }
    }

    @Test
    void a_name_that_can_be_none_is_refused_by_each_source() {
        Map<String, String> names = Map.of(
                "x".repeat(32), "'" + "x".repeat(32) + "'",
                "a\nb", "'a?b'",
                "\u0000", "'?'",
                "\u20ac".repeat(11), "at most 31 bytes");
        names.forEach((name, told) -> {
            for (boolean exportable : new boolean[] {false, true}) {
                assertRefused(new Request(SIZE, 1, 0, exportable, Access.READ_WRITE, name), told);
            }
        });
    }

    @Test
    void what_is_null_is_refused_by_each_source() {
        assertRefused(null, "a request that is null");
        assertRefused(new Request(SIZE, 1, 0, true, null, ""), "exports is null");
        assertRefused(new Request(SIZE, 1, 0, true, Access.READ, null), "the name null is none");
    }
}
