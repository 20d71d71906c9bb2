// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ThreadTrialTest {
    @Test
    void a_trial_leaves_no_thread() throws Exception {
        List<Thread> threads = new ArrayList<>();
        ThreadTrial.run(thread -> {
            threads.add(thread);
            return thread;
        });
        assertEquals(ThreadTrial.THREADS, threads.size());
        threads.forEach(thread -> assertFalse(thread.isAlive()));
    }

    @Test
    void a_thread_that_the_kernel_refuses_is_one_sentence_with_the_remedy_and_the_others_end() {
        List<Thread> threads = new ArrayList<>();
        Failure failure = assertThrows(
                Failure.class,
                () -> ThreadTrial.run(thread -> {
                    if (threads.size() == 5) {
                        throw new OutOfMemoryError("unable to create native thread: possibly out of memory");
                    }
                    threads.add(thread);
                    return thread;
                }));
        assertEquals(
                "starting 32 threads failed: the kernel permits only 5 more; raise the limit of threads (TasksMax= in"
                        + " the unit, pids.max of the cgroup, ulimit -u)",
                failure.getMessage());
        assertEquals(1, failure.status());
        threads.forEach(thread -> assertFalse(thread.isAlive()));
    }
}
