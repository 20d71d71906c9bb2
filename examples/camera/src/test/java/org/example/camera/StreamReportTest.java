// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Tests of the counts of a stream, with frames that a driver captured at given times. */
class StreamReportTest {
    private static final long FRAME = 33_000_000;

    private final StreamReport report = new StreamReport();

    /** @param queued number of the frame before which its memory was in the driver's queue */
    private void take(long sequence, long queued) {
        long captured = sequence * FRAME;
        report.taken(new CapturedFrame(0, sequence, captured, captured + 1, List.of()), queued * FRAME - 1);
        report.spent(20_000);
    }

    private void assertReported(String part) {
        assertTrue(report.toString().contains(part), report.toString());
    }

    @Test
    void a_stream_without_gaps_has_missed_nothing() {
        take(0, 0);
        take(1, 0);
        take(2, 1);
        assertReported(
                "3 frames in 0.1 s; missed 0 with memory in the queue, 0 without; here 20 us each, at most 20 us");
    }

    @Test
    void a_gap_is_the_drivers_if_the_memory_was_in_its_queue_already() {
        take(4, 0);
        take(7, 4);
        assertReported("missed 2 with memory in the queue, 0 without");
    }

    @Test
    void a_gap_is_ours_if_the_queue_was_empty() {
        take(4, 0);
        take(7, 5);
        assertReported("missed 0 with memory in the queue, 2 without");
    }

    @Test
    void a_number_that_comes_twice_makes_up_for_no_gap() {
        take(4, 0);
        take(4, 0);
        take(6, 0);
        assertReported("missed 1 with memory in the queue, 0 without");
    }
}
