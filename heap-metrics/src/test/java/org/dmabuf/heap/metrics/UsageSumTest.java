// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;
import org.junit.jupiter.api.Test;

class UsageSumTest {
    /** {@return five times in one interval} */
    private static DurationHistogram times(int interval, long seconds) {
        long[] counts = new long[16];
        counts[interval] = 5;
        return DurationHistogram.of(counts, Duration.ofSeconds(seconds));
    }

    /** {@return a record with each count 5, which a test changes} */
    private static UsageRecord.Builder five() {
        DurationHistogram times = times(15, 100);
        return UsageRecord.builder()
                .allocationTimes(times)
                .waitTimes(times)
                .allocated(5, 5)
                .failures(Map.of(Errno.ENOMEM, 5L))
                .waits(5, Duration.ofSeconds(5), Duration.ofSeconds(3))
                .leaked(5);
    }

    @Test
    void one_lower_count_is_that_of_another_account() {
        UsageRecord last = five().build();
        for (UsageRecord lower : List.of(
                five().allocated(4, 9).build(),
                five().allocated(9, 4).build(),
                five().failures(Map.of(Errno.ENOMEM, 4L, Errno.EACCES, 9L)).build(),
                five().failures(Map.of()).build(),
                five().waits(4, Duration.ofSeconds(9), Duration.ofSeconds(9)).build(),
                five().allocationTimes(times(15, 99)).build(),
                five().allocationTimes(times(14, 100)).build(),
                five().waitTimes(times(15, 99)).build(),
                five().waitTimes(times(14, 100)).build(),
                five().leaked(4).build())) {
            assertTrue(UsageSum.isBelow(lower, last), lower::toString);
            assertFalse(UsageSum.isBelow(last, last));
        }
    }

    @Test
    void counts_are_added_and_the_longest_wait_is_that_of_either() {
        UsageRecord longer =
                five().waits(1, Duration.ofSeconds(4), Duration.ofSeconds(4)).build();
        for (UsageRecord sum : List.of(
                UsageSum.of(five().build(), longer),
                UsageSum.of(longer, five().build()),
                UsageSum.ofCounts(five().build(), longer))) {
            assertEquals(10, sum.allocations());
            assertEquals(10, sum.allocatedBytes());
            assertEquals(Map.of(Errno.ENOMEM, 10L), sum.failures());
            assertEquals(6, sum.waits());
            assertEquals(Duration.ofSeconds(9), sum.waited());
            assertEquals(Duration.ofSeconds(4), sum.longestWait());
            assertEquals(10, sum.leakedBuffers());
            assertEquals(10, sum.allocationTimes().counts().get(15));
            assertEquals(10, sum.waitTimes().counts().get(15));
        }
    }

    @Test
    void a_sum_of_clients_has_no_quota() {
        UsageRecord limited = five().limit(OptionalLong.of(100)).build();
        assertEquals(OptionalLong.empty(), UsageSum.of(limited, limited).limit());
    }
}
