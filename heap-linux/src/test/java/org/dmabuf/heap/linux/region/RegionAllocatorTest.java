// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.LongConsumer;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.region.RegionAllocator.State;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegionAllocatorTest {
    private static final long G = Bytes.PAGE;
    private static final int GRANULES = 1024;

    private final RegionAllocator region = new RegionAllocator("camera", GRANULES * G, G);

    private long allocate(long granules) {
        return region.allocate(granules * G, 1);
    }

    /** {@return the blocks in granules, such as {@code "0+16 ALLOCATED"}} */
    private List<String> map() {
        List<String> map = new ArrayList<>();
        region.forEachBlock((offset, size, state) -> map.add(offset / G + "+" + size / G + " " + state));
        return map;
    }

    private RegionAllocator.Figures figures() {
        return region.figures(1);
    }

    @Test
    void a_region_begins_as_one_free_block() {
        assertEquals(List.of("0+1024 FREE"), map());
        assertEquals(new RegionAllocator.Figures(1024 * G, 1024 * G, 1024 * G, 0, 0, 1, 0, 0, 0, 0), figures());
        assertEquals(0, figures().fragmentation());
    }

    @Test
    void a_size_is_rounded_up_to_granules_and_no_further() {
        assertEquals(0, region.allocate(1, 1));
        assertEquals(G, region.allocate(G, 1));
        assertEquals(2 * G, region.allocate(G + 1, 1));
        assertEquals(4 * G, region.allocate(1020 * G, 1));
        assertEquals(2 * G, region.size(2 * G));
        assertEquals(0, figures().free());
        assertEquals(0, figures().fragmentation());
    }

    @Test
    void a_buffer_takes_the_smallest_gap_of_its_class_and_not_the_first() {
        long small = allocate(260);
        allocate(1);
        long large = allocate(262); // in the same class as 256 to 263
        allocate(1);
        region.free(small);
        region.free(large);
        assertEquals(small, allocate(258));
    }

    @Test
    void the_gap_before_an_aligned_buffer_stays_free() {
        allocate(3);
        assertEquals(16 * G, region.allocate(16 * G, 16 * G));
        assertEquals(List.of("0+3 ALLOCATED", "3+13 FREE", "16+16 ALLOCATED", "32+992 FREE"), map());
        assertEquals(3 * G, allocate(13));
    }

    @Test
    void an_alignment_is_at_least_a_granule_and_above_the_region_only_the_start_fits() {
        assertEquals(0, region.allocate(G, 1L << 62));
        assertEquals(G, region.allocate(G, 2));
        assertEquals(-1, region.allocate(G, 1024 * G));
        assertEquals(512 * G, region.allocate(G, 512 * G));
        region.free(0);
        assertEquals(0, region.allocate(G, 1024 * G));
    }

    @ParameterizedTest
    @ValueSource(longs = {GRANULES + 1, 1L << 31, 1L << 32, (1L << 32) + 1, Long.MAX_VALUE >>> 16})
    void any_size_above_the_region_finds_no_block(long granules) {
        assertEquals(-1, region.allocate(granules * G, 1));
        assertEquals(-1, region.allocate(GRANULES * G + 1, 1L << 62));
        assertEquals(-1, region.allocate(Long.MAX_VALUE, 1L << 62));
        assertEquals(List.of("0+1024 FREE"), map());
        assertEquals(3, figures().refused());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void an_invalid_size_or_alignment_is_the_callers_mistake(long none) {
        assertThrows(IllegalArgumentException.class, () -> region.allocate(none, 1));
        assertThrows(IllegalArgumentException.class, () -> region.allocate(1, none));
        assertThrows(IllegalArgumentException.class, () -> region.allocate(1, 3));
        assertEquals(0, figures().requests());
    }

    @Test
    void free_neighbours_merge_in_any_order() {
        for (int[] order : new int[][] {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
            long[] blocks = {allocate(300), allocate(300), allocate(424)};
            for (int i : order) {
                region.free(blocks[i]);
            }
            assertEquals(List.of("0+1024 FREE"), map());
        }
    }

    @Test
    void a_block_is_neither_allocated_nor_merged_before_it_is_zeroed() {
        long first = allocate(512);
        long second = allocate(512);
        region.discard(first);
        region.free(second);
        assertEquals(List.of("0+512 DIRTY", "512+512 FREE"), map());
        assertEquals(512 * G, figures().dirty());
        assertEquals(-1, allocate(513));

        assertEquals(first, region.takeDirty());
        assertEquals(-1, region.takeDirty());
        assertEquals(List.of("0+512 ZEROING", "512+512 FREE"), map());
        assertEquals(512 * G, figures().dirty());

        region.free(first);
        assertEquals(List.of("0+1024 FREE"), map());
        assertEquals(0, figures().dirty());
    }

    @Test
    void each_dirty_block_is_given_to_one_thread_and_again_only_after_a_failed_zeroing() {
        long first = allocate(1);
        long second = allocate(1);
        long third = allocate(1);
        region.discard(first);
        region.discard(second);
        region.discard(third);
        assertEquals(third, region.takeDirty());
        assertEquals(second, region.takeDirty());
        region.discard(third);
        assertEquals(third, region.takeDirty());
        assertEquals(first, region.takeDirty());
        assertEquals(-1, region.takeDirty());
    }

    @Test
    void a_quarantined_block_must_be_zeroed_before_it_is_free() {
        long block = allocate(1024);
        region.quarantine(block);
        assertEquals(1024 * G, figures().quarantined());
        assertEquals(-1, region.takeDirty());
        assertThrows(IllegalStateException.class, () -> region.free(block));
        region.discard(block);
        assertEquals(0, figures().quarantined());
        region.free(region.takeDirty());
        assertEquals(List.of("0+1024 FREE"), map());
    }

    @Test
    void an_untouched_block_is_given_to_the_next_buffer_or_becomes_free() {
        long closed = allocate(512);
        long seen = allocate(512);
        region.quarantine(seen);
        region.retire(closed);
        region.retire(seen);
        assertEquals(List.of("0+512 ZEROING", "512+512 ZEROING"), map());
        assertEquals(-1, region.takeDirty());
        assertEquals(-1, allocate(1));

        region.reuse(closed);
        assertEquals(512 * G, region.size(closed));
        region.free(seen);
        assertEquals(List.of("0+512 ALLOCATED", "512+512 FREE"), map());
        assertEquals(0, figures().dirty());
        region.retire(closed);
        region.free(closed);
        assertEquals(List.of("0+1024 FREE"), map());
    }

    @Test
    void a_step_out_of_turn_is_refused_and_changes_nothing() {
        long allocated = allocate(2);
        long quarantined = allocate(2);
        long dirty = allocate(2);
        long zeroing = allocate(2);
        region.quarantine(quarantined);
        region.discard(zeroing);
        region.takeDirty();
        region.discard(dirty);
        long free = 8 * G;
        List<String> before = map();

        List<LongConsumer> steps =
                List.of(region::free, region::discard, region::quarantine, region::retire, region::reuse, region::size);
        for (long nowhere : new long[] {-G, -1, 1, G, G + 1, 9 * G, 1024 * G, Long.MIN_VALUE, Long.MAX_VALUE}) {
            steps.forEach(step -> assertThrows(IllegalStateException.class, () -> step.accept(nowhere)));
        }
        steps.forEach(step -> assertThrows(IllegalStateException.class, () -> step.accept(free)));
        assertThrows(IllegalStateException.class, () -> region.quarantine(quarantined));
        assertThrows(IllegalStateException.class, () -> region.quarantine(dirty));
        assertThrows(IllegalStateException.class, () -> region.quarantine(zeroing));
        assertThrows(IllegalStateException.class, () -> region.discard(dirty));
        assertThrows(IllegalStateException.class, () -> region.free(quarantined));
        assertThrows(IllegalStateException.class, () -> region.retire(dirty));
        assertThrows(IllegalStateException.class, () -> region.retire(zeroing));
        for (long notRetired : new long[] {allocated, quarantined, dirty}) {
            assertThrows(IllegalStateException.class, () -> region.reuse(notRetired));
        }
        IllegalStateException refusal = assertThrows(IllegalStateException.class, () -> region.free(dirty));
        assertEquals("the block at offset " + dirty + " is DIRTY", refusal.getMessage());
        assertEquals(before, map());

        region.free(allocated);
        assertThrows(IllegalStateException.class, () -> region.free(allocated));
    }

    @Test
    void the_largest_run_can_be_allocated_with_its_alignment() {
        assertEquals(1024 * G, region.figures(1024 * G).largestFree());
        allocate(400);
        long gap = allocate(120);
        allocate(504);
        assertEquals(0, region.figures(512 * G).largestFree());
        region.free(gap);
        assertEquals(120 * G, region.figures(1).largestFree());
        // From 400 to 520: 8 granules from 512 on, and 64 from 448 on, where 65 would not be aligned.
        assertEquals(64 * G, region.figures(512 * G).largestFree());
        assertEquals(-1, region.allocate(65 * G, 128 * G));
        assertEquals(448 * G, region.allocate(64 * G, 64 * G));
    }

    @Test
    void fragmentation_is_the_share_of_free_bytes_outside_the_largest_run() {
        long gap = allocate(256);
        allocate(1);
        long larger = allocate(767);
        region.free(gap);
        assertEquals(0, figures().fragmentation());
        region.free(larger);
        assertEquals(256.0 / 1023, figures().fragmentation(), 1e-9);
    }

    @Test
    void the_alignment_of_cma_is_the_order_of_the_size_up_to_the_cap() {
        assertEquals(1, RegionAllocator.alignment(1, 1 << 20));
        assertEquals(4096, RegionAllocator.alignment(4096, 1 << 20));
        assertEquals(8192, RegionAllocator.alignment(4097, 1 << 20));
        assertEquals(1 << 20, RegionAllocator.alignment(1 << 20, 1 << 20));
        assertEquals(1 << 20, RegionAllocator.alignment(Long.MAX_VALUE, 1 << 20));
        assertEquals(1L << 62, RegionAllocator.alignment(Long.MAX_VALUE, 1L << 62));
    }

    @Test
    void a_request_finds_a_larger_block_behind_64_candidates_that_are_too_small() {
        RegionAllocator crowded = crowded();
        assertNotEquals(-1, crowded.allocate(257 * G, 1));
        assertEquals(1, crowded.figures(1).padded());
        assertEquals(0, crowded.figures(1).exact());
    }

    @Test
    void the_last_place_of_a_crowded_region_is_found_and_the_pass_over_all_of_it_is_counted() {
        RegionAllocator crowded = crowded();
        crowded.allocate(crowded.figures(1).largestFree(), 1);
        assertEquals(0, crowded.figures(1).exact());
        assertEquals(0, crowded.allocate(257 * G, 1));
        assertEquals(1, crowded.figures(1).padded());
        assertEquals(1, crowded.figures(1).exact());
    }

    /**
     * One gap of 257 granules at the start, 100 gaps of 256 that its class offers first, and some space behind them.
     */
    private static RegionAllocator crowded() {
        RegionAllocator crowded = new RegionAllocator("camera", 30_000 * G, G);
        long[] gaps = new long[101];
        for (int i = 0; i < gaps.length; i++) {
            gaps[i] = crowded.allocate((i == 0 ? 257 : 256) * G, 1);
            crowded.allocate(G, 1);
        }
        for (long gap : gaps) {
            crowded.free(gap);
        }
        return crowded;
    }

    @Test
    void a_granule_that_is_not_a_power_of_two_or_is_below_a_page_is_refused() {
        for (long granule : new long[] {0, -1, 1, G / 2, 3 * G, Long.MIN_VALUE}) {
            assertEquals(Errno.EINVAL, refused(3L << 40, granule).errno());
        }
        assertEquals(
                "heap 'camera': invalid granule = 1: expected a power of two of at least a page, " + G,
                refused(G, 1).getMessage());
    }

    @Test
    void a_region_with_a_partial_granule_is_refused() {
        for (long size : new long[] {0, -G, Long.MIN_VALUE, G - 1, G + 1, Long.MAX_VALUE}) {
            assertEquals(Errno.EINVAL, refused(size, G).errno());
        }
    }

    @Test
    void a_region_of_too_many_granules_is_refused_with_a_sufficient_granule() {
        long granule = 1 << 20;
        long most = granule << 28;
        assertEquals(
                "heap 'camera': a region of 256 TiB has too many granules of 1 MiB; raise the granule to 2 MiB",
                refused(most + granule, granule).getMessage());
        assertTrue(refused(2 * most, granule).getMessage().endsWith(" to 2 MiB"));
        assertTrue(refused(2 * most + granule, granule).getMessage().endsWith(" to 4 MiB"));
        assertTrue(refused(Long.MAX_VALUE - granule + 1, granule).getMessage().endsWith("to 32 GiB"));
    }

    @Test
    void a_region_whose_metadata_would_fill_the_java_heap_is_refused_with_the_remedy() {
        long room = Runtime.getRuntime().maxMemory() / 2 / RegionAllocator.METADATA;
        // One granule more than fits, or the permitted maximum if the Java heap is very large.
        if (room < RegionAllocator.MAX_GRANULES) {
            HeapException refusal = refused((room + 1) * G, G);
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(refusal.getMessage().endsWith("; raise the granule or -Xmx"), refusal.getMessage());
        } else {
            assertEquals(
                    Errno.EINVAL,
                    refused((RegionAllocator.MAX_GRANULES + 1L) * G, G).errno());
        }
    }

    private static HeapException refused(long size, long granule) {
        return assertThrows(HeapException.class, () -> new RegionAllocator("camera", size, granule));
    }

    @Test
    void offsets_above_4_gib_work_like_others() {
        long granule = 1L << 30;
        RegionAllocator huge = new RegionAllocator("camera", 1L << 40, granule);
        assertEquals(0, huge.allocate((1L << 40) - granule, 1));
        assertEquals((1L << 40) - granule, huge.allocate(1, 1));
        assertEquals(-1, huge.allocate(1, 1));
        huge.free((1L << 40) - granule);
        assertEquals(granule, huge.figures(1).free());
    }

    @Test
    void a_visitor_may_call_the_region_that_it_visits() {
        allocate(1);
        allocate(1);
        List<State> seen = new ArrayList<>();
        region.forEachBlock((offset, size, state) -> {
            seen.add(state);
            if (state == State.ALLOCATED) {
                region.free(offset);
            }
        });
        assertEquals(List.of(State.ALLOCATED, State.ALLOCATED, State.FREE), seen);
        assertEquals(List.of("0+1024 FREE"), map());
    }

    @Test
    void no_operation_on_a_block_creates_garbage() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        SplittableRandom random = new SplittableRandom(6);
        long[] live = new long[64];
        turn(random, live, 1000); // initializes classes and constants
        long before = threads.getCurrentThreadAllocatedBytes();
        turn(random, live, 10_000);
        assertEquals(0, threads.getCurrentThreadAllocatedBytes() - before);
        assertTrue(figures().refused() > 0);
    }

    private void turn(SplittableRandom random, long[] live, int turns) {
        Arrays.fill(live, -1);
        for (int i = 0; i < turns; i++) {
            int slot = random.nextInt(live.length);
            if (live[slot] >= 0) {
                if ((i & 1) == 0) {
                    region.quarantine(live[slot]);
                }
                region.discard(live[slot]);
                region.free(region.takeDirty());
            }
            long size = random.nextInt(1, 48) * G;
            live[slot] = region.allocate(size, RegionAllocator.alignment(size, 16 * G));
        }
        for (long block : live) {
            if (block >= 0) {
                region.free(block);
            }
        }
    }

    @Test
    void concurrent_threads_never_own_the_same_granule_and_leave_one_free_block() throws InterruptedException {
        AtomicIntegerArray owner = new AtomicIntegerArray(GRANULES);
        AtomicInteger clashes = new AtomicInteger();
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.length; i++) {
            int self = i + 1;
            threads[i] = new Thread(() -> {
                SplittableRandom random = new SplittableRandom(self);
                for (int turn = 0; turn < 50_000; turn++) {
                    int granules = random.nextInt(1, 9);
                    long block = allocate(granules);
                    if (block >= 0) {
                        mark(owner, clashes, block, granules, 0, self);
                        mark(owner, clashes, block, granules, self, 0);
                        region.discard(block);
                        long dirty = region.takeDirty(); // this thread's or another one's
                        if (dirty >= 0) {
                            region.free(dirty);
                        }
                    }
                }
            });
        }
        for (Thread thread : threads) {
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertAll(
                () -> assertEquals(0, clashes.get()),
                () -> assertEquals(List.of("0+1024 FREE"), map()),
                () -> assertEquals(4 * 50_000, figures().requests()));
    }

    private static void mark(
            AtomicIntegerArray owner, AtomicInteger clashes, long block, int granules, int from, int to) {
        for (int granule = (int) (block / G); granules-- > 0; granule++) {
            if (!owner.compareAndSet(granule, from, to)) {
                clashes.incrementAndGet();
            }
        }
    }
}
