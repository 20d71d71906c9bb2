// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;

/**
 * Query for the broker's heaps with a time limit. One query runs at a time, and concurrent statuses share it, so a
 * hanging broker does not occupy a thread for each status.
 */
final class HeapProbe implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 2;
    private static final long IDLE_SECONDS = 10;

    /** Reason why the heaps cannot be listed. */
    static final class UnknownException extends Exception {
        private static final long serialVersionUID = 1L;

        UnknownException(String sentence) {
            super(sentence);
        }
    }

    private final Supplier<HeapBroker> broker;
    private final ThreadPoolExecutor asking =
            new ThreadPoolExecutor(1, 1, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), body -> {
                Thread thread = new Thread(body, "control: heaps");
                thread.setDaemon(true);
                return thread;
            });
    /** The running query, or null. Guarded by this. */
    private Future<List<HeapInfo>> query;

    /** @param broker supplier of the current broker, or of null without one */
    HeapProbe(Supplier<HeapBroker> broker) {
        this.broker = broker;
        asking.allowCoreThreadTimeOut(true);
    }

    List<HeapInfo> heaps() throws UnknownException {
        HeapBroker asked = broker.get();
        if (asked == null) {
            throw new UnknownException("no broker: org.dmabuf.heap.broker is not active");
        }
        try {
            return ask(asked).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new UnknownException("the broker did not answer within " + PATIENCE_SECONDS + " s");
        } catch (ExecutionException e) {
            throw new UnknownException("the broker failed: " + Sentence.of(e));
        } catch (RejectedExecutionException e) {
            throw new UnknownException("the gateway is stopping");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnknownException("the gateway is stopping");
        } finally {
            forgetAnswer();
        }
    }

    /** Drops the answer. Its property values are objects of the heaps' bundles, and must not outlive these. */
    private synchronized void forgetAnswer() {
        if (query != null && query.isDone()) {
            query = null;
        }
    }

    private synchronized Future<List<HeapInfo>> ask(HeapBroker asked) {
        if (query == null || query.isDone()) {
            query = asking.submit(asked::heaps);
        }
        return query;
    }

    @Override
    public void close() {
        asking.shutdownNow();
    }
}
