// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.service;

import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapMonitor;

/**
 * Check whether the broker does its work. It asks on one thread of its own: a broker that is stuck keeps that thread,
 * and every later check fails.
 */
final class Liveness implements AutoCloseable {
    private final Supplier<HeapMonitor> monitor;
    private final ExecutorService asking = Executors.newSingleThreadExecutor(Thread.ofPlatform()
            .name("service manager: ping")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .factory());

    /** @param monitor supplier of the monitor of the current broker, or of null while the gateway does not serve */
    Liveness(Supplier<HeapMonitor> monitor) {
        this.monitor = monitor;
    }

    /** {@return whether the gateway has a broker} */
    boolean isUp() {
        return monitor.get() != null;
    }

    /** {@return whether the broker answered within the time} */
    boolean check(Duration limit) throws InterruptedException {
        HeapMonitor asked = monitor.get();
        if (asked == null) {
            return false;
        }
        Future<?> answer;
        try {
            answer = asking.submit(() -> {
                asked.ping();
                return null;
            });
        } catch (OutOfMemoryError e) { // for lack of threads or of memory; the next check tries again
            return false;
        } catch (RejectedExecutionException e) { // closed meanwhile
            throw new InterruptedException();
        }
        try {
            answer.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException | ExecutionException e) {
            return false;
        } finally {
            answer.cancel(true);
        }
    }

    @Override
    public void close() {
        asking.shutdownNow();
    }
}
