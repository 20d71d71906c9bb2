// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import org.dmabuf.heap.linux.text.Bytes;
import org.junit.jupiter.api.Test;

class PoolBudgetTest {
    private final PoolBudget none = PoolBudget.none();

    @Test
    void sizes_that_round_to_the_same_pages_are_one_and_the_last_count_applies() {
        PoolBudget budget =
                none.withPrewarmed(1, 3).withPrewarmed(Bytes.PAGE, 2).withPrewarmed(Bytes.PAGE + 1, 5);
        assertEquals(Map.of(Bytes.PAGE, 2, 2 * Bytes.PAGE, 5), budget.prewarmed());
        assertEquals(Map.of(), none.prewarmed());
    }

    @Test
    void a_count_of_0_removes_the_size() {
        PoolBudget budget = none.withPrewarmed(Bytes.PAGE, 3);
        assertFalse(budget.isNone());
        assertTrue(budget.withPrewarmed(Bytes.PAGE, 0).isNone());
        assertFalse(none.withRecycled(1).isNone());
    }

    @Test
    void each_part_keeps_the_others() {
        PoolBudget budget = none.withIdle(Duration.ofSeconds(5))
                .withRecycled(7)
                .withPrewarmed(Bytes.PAGE, 1)
                .withRecycled(8);
        assertEquals(8, budget.recycled());
        assertEquals(Duration.ofSeconds(5), budget.idle());
        assertEquals(
                Map.of(Bytes.PAGE, 1), budget.withIdle(Duration.ofSeconds(6)).prewarmed());
    }

    @Test
    void an_invalid_budget_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> none.withPrewarmed(Bytes.PAGE, -1));
        assertThrows(IllegalArgumentException.class, () -> none.withRecycled(-1));
        for (Duration idle : new Duration[] {Duration.ZERO, Duration.ofNanos(-1), Duration.ofDays(36_501)}) {
            assertThrows(IllegalArgumentException.class, () -> none.withIdle(idle));
        }
        assertEquals(
                Duration.ofDays(36_500), none.withIdle(Duration.ofDays(36_500)).idle());
    }

    @Test
    void more_bytes_than_can_be_counted_are_refused() {
        PoolBudget half = none.withPrewarmed(1L << 62, 1);
        assertThrows(ArithmeticException.class, () -> half.withPrewarmed(1L << 61, 2));
        assertThrows(ArithmeticException.class, () -> none.withPrewarmed(1L << 62, 2));
    }
}
