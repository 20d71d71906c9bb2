// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PrewarmedPoolTest {
    private static final long SMALL = 100;
    private static final long LARGE = 300;

    private final List<FakeBuffer> buffers = new ArrayList<>();
    private long now;
    private int refills;
    private final PrewarmedPool pool = new PrewarmedPool(Map.of(SMALL, 4, LARGE, 1), () -> now, () -> refills++);

    private PooledMemory put(long size) {
        FakeBuffer buffer = new FakeBuffer(size);
        buffers.add(buffer);
        PooledMemory memory = buffer.pooled();
        pool.put(memory);
        return memory;
    }

    /** Creates the requested buffers, as the keeper does. */
    private void fill() {
        for (long wanted = pool.wanted(); wanted > 0; wanted = pool.wanted()) {
            put(wanted);
        }
    }

    private long released() {
        return buffers.stream().mapToInt(buffer -> buffer.released).sum();
    }

    @Test
    void it_requests_the_configured_number_of_each_size() {
        fill();
        assertEquals(4 * SMALL + LARGE, pool.held());
        assertEquals(5, buffers.size());
        assertEquals(0, released());
    }

    @Test
    void memory_that_was_not_requested_is_released() {
        fill();
        put(LARGE);
        assertEquals(1, buffers.getLast().released);
        assertEquals(4 * SMALL + LARGE, pool.held());
    }

    @Test
    void taken_memory_has_the_size_and_is_served_once() {
        PooledMemory large = put(LARGE);
        assertNull(pool.take(SMALL));
        assertSame(large, pool.take(LARGE));
        assertNull(pool.take(LARGE));
        assertEquals(0, pool.held());
    }

    @Test
    void a_size_that_is_not_pooled_is_neither_a_miss_nor_a_reason_for_a_refill() {
        assertNull(pool.take(SMALL + 1));
        assertEquals(0, pool.usage().misses());
        assertEquals(0, refills);
        pool.take(SMALL);
        assertEquals(1, pool.usage().misses());
        assertEquals(0, pool.usage().hits());
    }

    @Test
    void a_refill_is_requested_when_half_is_left_and_only_once_until_it_is_full() {
        fill();
        pool.take(SMALL);
        assertEquals(0, refills);
        pool.take(SMALL);
        pool.take(SMALL);
        pool.take(LARGE);
        assertEquals(1, refills);
        fill();
        pool.take(LARGE);
        assertEquals(2, refills);
    }

    @Test
    void a_size_without_requests_is_released_until_the_next_request() {
        fill();
        now = 10;
        assertNotNull(pool.take(LARGE));
        fill();
        assertEquals(0, pool.oldestAsked(77));
        pool.expire(9);
        assertEquals(4, released());
        assertEquals(LARGE, pool.held());
        assertEquals(0, pool.wanted());
        assertEquals(10, pool.oldestAsked(77));
        pool.expire(10);
        assertEquals(0, pool.held());
        assertEquals(77, pool.oldestAsked(77));

        assertNull(pool.take(SMALL));
        assertEquals(2, refills);
        fill();
        assertEquals(4 * SMALL, pool.held());
    }

    @Test
    void the_wanted_bytes_are_released() {
        fill();
        assertEquals(0, pool.giveBack(0));
        assertEquals(2 * SMALL, pool.giveBack(SMALL + 1));
        assertEquals(2, released());
        assertEquals(2 * SMALL + LARGE, pool.giveBack(Long.MAX_VALUE));
        assertEquals(0, pool.held());
        assertEquals(5, released());
    }

    @Test
    void a_closed_pool_releases_everything_and_requests_nothing() {
        fill();
        pool.close();
        assertEquals(5, released());
        assertEquals(0, pool.wanted());
        assertNull(pool.take(SMALL));
        assertEquals(0, refills);
        put(SMALL);
        assertEquals(6, released());
    }
}
