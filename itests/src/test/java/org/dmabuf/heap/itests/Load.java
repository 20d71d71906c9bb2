// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Threads that do the same thing over and over. */
final class Load implements AutoCloseable {
    /** What they do. */
    interface Call {
        /**
         * Does it once.
         *
         * @param turn counts up, for each thread from 0
         */
        void run(long turn) throws Exception;
    }

    /** Between two turns, so that on few processors the bundles under load get their turn too. */
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
        } catch (Throwable e) { // the test fails with it
            failure = e;
        }
    }

    /** Ends it; fails with what a call threw, and when a call hangs. */
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

    /** Ends it after a failure elsewhere, which counts. */
    @Override
    public void close() {
        stopped = true;
    }
}
