// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Threads of the requests, a limited number with limited times. A peer that sends or reads too slowly is disconnected:
 * an interrupt closes the channel that its thread uses. If all threads are busy and the queue is full, the server
 * closes the connection.
 */
final class RequestThreads implements Executor, AutoCloseable {
    private static final int MOST = 4;
    private static final int QUEUE = 16;
    private static final long IDLE_SECONDS = 60;
    private static final Duration LONGEST = Duration.ofSeconds(10);

    /** One request; it is either over or interrupted. */
    private static final class Exchange {
        private final Thread thread = Thread.currentThread();
        private boolean over;

        synchronized void interrupt() {
            if (!over) {
                thread.interrupt();
            }
        }

        synchronized void end() {
            over = true;
            Thread.interrupted(); // the next request has a time of its own
        }
    }

    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            MOST, MOST, IDLE_SECONDS, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUE), named("metrics"));
    private final ScheduledThreadPoolExecutor clock = new ScheduledThreadPoolExecutor(1, named("metrics: clock"));
    private final Duration longest;

    RequestThreads() {
        this(LONGEST);
    }

    /** Creates threads with a time limit that a test supplies. */
    RequestThreads(Duration longest) {
        this.longest = longest;
        threads.allowCoreThreadTimeOut(true);
        clock.setRemoveOnCancelPolicy(true);
    }

    private static ThreadFactory named(String name) {
        return Thread.ofPlatform()
                .name(name)
                .daemon()
                .inheritInheritableThreadLocals(false)
                .factory();
    }

    @Override
    public void execute(Runnable request) {
        threads.execute(() -> {
            Exchange exchange = new Exchange();
            var limit = clock.schedule(exchange::interrupt, longest.toMillis(), TimeUnit.MILLISECONDS);
            try {
                request.run();
            } finally {
                limit.cancel(false);
                exchange.end();
            }
        });
    }

    @Override
    public void close() {
        threads.shutdownNow();
        clock.shutdownNow();
    }
}
