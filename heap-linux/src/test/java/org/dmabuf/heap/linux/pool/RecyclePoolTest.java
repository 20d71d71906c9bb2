// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.Test;

class RecyclePoolTest {
    private static final long SMALL = 100;
    private static final long LARGE = 300;
    private static final long BUDGET = 1000;

    private final RecyclePool pool = new RecyclePool(BUDGET, 0);
    private final List<FakeBuffer> buffers = new ArrayList<>();

    private PooledMemory put(long size) {
        FakeBuffer buffer = new FakeBuffer(size);
        buffers.add(buffer);
        PooledMemory memory = buffer.pooled();
        pool.put(memory);
        return memory;
    }

    /** {@return how often each was released, in the order of creation} */
    private List<Integer> released() {
        return buffers.stream().map(buffer -> buffer.released).toList();
    }

    @Test
    void taken_memory_has_the_size_and_is_zeroed() {
        PooledMemory small = put(SMALL);
        PooledMemory large = put(LARGE);
        small.mapping.fill((byte) 1);
        assertNull(pool.take(SMALL + 1));
        assertSame(small, pool.take(SMALL));
        for (long at = 0; at < SMALL; at++) {
            assertEquals(0, small.mapping.get(ValueLayout.JAVA_BYTE, at));
        }
        assertSame(large, pool.take(LARGE));
        assertNull(pool.take(LARGE));
        assertEquals(0, pool.held());
    }

    @Test
    void of_one_size_the_last_added_is_taken_first() {
        List<PooledMemory> all = List.of(put(SMALL), put(SMALL), put(SMALL));
        for (PooledMemory memory : all.reversed()) {
            assertSame(memory, pool.take(SMALL));
        }
    }

    @Test
    void takes_are_counted_as_hits_and_misses() {
        put(SMALL);
        put(LARGE);
        pool.take(SMALL);
        pool.take(LARGE);
        pool.take(LARGE);
        assertEquals(2, pool.usage().hits());
        assertEquals(1, pool.usage().misses());
    }

    @Test
    void above_the_budget_the_oldest_is_released() {
        put(SMALL);
        put(LARGE);
        put(LARGE);
        put(LARGE);
        assertEquals(List.of(0, 0, 0, 0), released());
        assertEquals(BUDGET, pool.held());
        put(SMALL);
        assertEquals(List.of(1, 0, 0, 0, 0), released());
        put(2 * LARGE);
        assertEquals(List.of(1, 1, 1, 0, 0, 0), released());
        assertEquals(1000, pool.held());
    }

    @Test
    void memory_that_fills_the_budget_alone_displaces_all_others() {
        put(SMALL);
        pool.take(SMALL); // so that the next becomes the youngest without displacing one
        put(LARGE);
        put(SMALL);
        pool.take(SMALL);
        put(BUDGET);
        assertEquals(List.of(0, 1, 0, 0), released());
        assertEquals(BUDGET, pool.held());
    }

    @Test
    void memory_above_the_budget_is_released_at_once_and_displaces_nothing() {
        put(SMALL);
        put(BUDGET + 1);
        assertEquals(List.of(0, 1), released());
        assertEquals(1, buffers.getLast().unmapped);
    }

    @Test
    void the_wanted_bytes_are_released_from_the_oldest_on() {
        put(SMALL);
        put(SMALL);
        put(LARGE);
        assertEquals(0, pool.giveBack(0));
        assertEquals(2 * SMALL, pool.giveBack(SMALL + 1));
        assertEquals(List.of(1, 1, 0), released());
        assertEquals(LARGE, pool.giveBack(Long.MAX_VALUE));
        assertEquals(0, pool.giveBack(Long.MAX_VALUE));
        assertEquals(List.of(1, 1, 1), released());
    }

    @Test
    void memory_that_was_added_by_a_given_time_expires_and_later_memory_stays() {
        assertEquals(77, pool.oldestSince(77));
        put(SMALL);
        pool.tick(10);
        put(SMALL);
        pool.tick(20);
        put(LARGE);
        assertEquals(0, pool.oldestSince(77));
        pool.expire(10);
        assertEquals(List.of(1, 1, 0), released());
        assertEquals(20, pool.oldestSince(77));
        pool.expire(19);
        assertEquals(LARGE, pool.held());
        pool.expire(20);
        assertEquals(0, pool.held());
    }

    @Test
    void the_clock_may_overflow() {
        pool.tick(Long.MAX_VALUE);
        put(SMALL);
        pool.tick(Long.MIN_VALUE + 5);
        put(SMALL);
        pool.expire(Long.MIN_VALUE);
        assertEquals(List.of(1, 0), released());
    }

    @Test
    void a_closed_pool_is_empty_and_keeps_nothing() {
        put(SMALL);
        put(LARGE);
        pool.close();
        put(SMALL);
        assertEquals(List.of(1, 1, 1), released());
        assertNull(pool.take(SMALL));
        assertEquals(0, pool.held());
    }

    @Test
    void a_failed_release_does_not_prevent_another() {
        FakeBuffer bad = new FakeBuffer(SMALL) {
            @Override
            public void release() {
                super.release();
                throw new IllegalStateException("made up");
            }
        };
        buffers.add(bad);
        pool.put(bad.pooled());
        put(SMALL);
        assertEquals(List.of("releasing pooled memory failed"), RecordedLog.of(PooledMemory.class, pool::close));
        assertEquals(List.of(1, 1), released());
    }
}
