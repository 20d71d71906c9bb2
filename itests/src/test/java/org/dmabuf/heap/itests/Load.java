// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Threads that repeat the same operation. */
final class Load implements AutoCloseable {
    /** The operation. */
    interface Call {
        /**
         * Performs the operation once.
         *
         * @param turn the number of the repetition, counted from 0 for each thread
         */
        void run(long turn) throws Exception;
    }

    /** The pause between two repetitions, so that the bundles under load get processor time on a small machine. */
    private static final long BREATH_NANOS = 50_000;

    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean stopped;
    private volatile Throwable failure;

    Load(int count, Call call) {
        for (int i = 0; i < count; i++) {
            threads.add(Thread.ofPlatform().daemon().name("load-" + i).start(() -> repeat(call)));
        }
    }

    private void repeat(Call call) {
        try {
            for (long turn = 0; !stopped; turn++) {
                call.run(turn);
                LockSupport.parkNanos(BREATH_NANOS);
            }
        } catch (Throwable e) { // the test fails with this exception
            failure = e;
        }
    }

    /** Ends the threads. Fails if an operation threw an exception or hangs. */
    void stop() throws InterruptedException {
        stopped = true;
        for (Thread thread : threads) {
            thread.join(TimeUnit.SECONDS.toMillis(60));
            assertFalse(thread.getName() + " hangs", thread.isAlive());
        }
        if (failure != null) {
            throw new AssertionError("a call failed: " + failure, failure);
        }
    }

    /** Ends the threads after another failure, which takes precedence. */
    @Override
    public void close() {
        stopped = true;
    }
}
