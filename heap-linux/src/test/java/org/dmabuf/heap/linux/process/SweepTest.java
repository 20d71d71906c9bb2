// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** Each test has process ids of its own, because a thread that is left behind is remembered for a moment. */
class SweepTest {
    private static final Duration LONG = Duration.ofMinutes(5);
    private static final Duration SHORT = Duration.ofMillis(200);
    /** Longer than a busy machine delays a thread. */
    private static final Duration MODERATE = Duration.ofSeconds(4);

    @Test
    void processes_that_end_are_left_out_and_those_without_permission_are_counted() throws InterruptedException {
        Sweep<Integer> sweep = Sweep.over(List.of(1, 2, 3, 4), LONG, LONG, pid -> switch (pid) {
            case 2 -> throw new AccessDeniedException("/proc/2/fd");
            case 3 -> throw new IOException("No such process");
            default -> Optional.of(pid);
        });
        assertEquals(List.of(1, 4), sweep.results());
        assertEquals("1 0 0", sweep.denied() + " " + sweep.silent() + " " + sweep.unread());
    }

    @Test
    void a_process_that_blocks_its_reader_is_left_behind_and_not_read_again_before_it_answers() throws Exception {
        CountDownLatch answers = new CountDownLatch(1);
        Sweep.Read<Integer> read = pid -> {
            for (boolean waits = pid == 12; waits; ) {
                try {
                    answers.await();
                    waits = false;
                } catch (InterruptedException e) {
                    // the kernel goes on waiting, too
                }
            }
            return Optional.of(pid);
        };
        try {
            for (int i = 0; i < 2; i++) {
                Sweep<Integer> sweep = Sweep.over(List.of(11, 12, 13), MODERATE, LONG, read);
                assertEquals(List.of(11, 13), sweep.results());
                assertEquals(1, sweep.silent());
            }
        } finally {
            answers.countDown();
        }
    }

    @Test
    void the_time_for_all_processes_is_limited() throws InterruptedException {
        Sweep<Integer> sweep = Sweep.over(List.of(21, 22, 23, 24), LONG, SHORT, pid -> {
            try {
                Thread.sleep(LONG);
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return Optional.of(pid);
        });
        assertEquals(List.of(), sweep.results());
        assertEquals(4, sweep.silent() + sweep.unread());
    }

    @Test
    void an_error_in_the_other_thread_reaches_the_caller() {
        StackOverflowError error = new StackOverflowError();
        assertSame(
                error,
                assertThrows(
                        StackOverflowError.class,
                        () -> Sweep.over(List.of(31), LONG, LONG, _ -> {
                            throw error;
                        })));
    }

    @Test
    void an_interrupt_ends_the_wait() {
        Thread.currentThread().interrupt();
        assertThrows(
                InterruptedException.class,
                () -> Sweep.over(List.of(41), LONG, LONG, _ -> {
                    try {
                        Thread.sleep(LONG);
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                    return Optional.empty();
                }));
    }
}
