// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;

/**
 * Trial whether the process may have the threads that the gateway needs. Several limits apply, and a gateway with too
 * few threads fails in parts, at any call.
 */
final class ThreadTrial {
    /** Threads of a gateway with a shell and a few sessions, besides those that Java has already started. */
    static final int THREADS = 32;

    private ThreadTrial() {}

    /** Starts and ends these threads. */
    static void run() throws Failure {
        run(thread -> thread);
    }

    /** @param made receives each thread before its start */
    static void run(UnaryOperator<Thread> made) throws Failure {
        CountDownLatch end = new CountDownLatch(1);
        List<Thread> started = new ArrayList<>();
        try {
            while (started.size() < THREADS) {
                Thread thread = made.apply(new Thread(() -> await(end), "trial"));
                thread.setDaemon(true);
                thread.start();
                started.add(thread);
            }
        } catch (OutOfMemoryError e) {
            throw Failure.of(
                    "starting " + THREADS + " threads failed: the kernel permits only " + started.size() + " more; "
                            + Sentence.THREAD_REMEDY,
                    e);
        } finally {
            end.countDown();
            started.forEach(ThreadTrial::join); // until then they count
        }
    }

    private static void await(CountDownLatch end) {
        try {
            end.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
