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
 * Question to the broker for its heaps, which goes on without an answer that does not come in time. One thread asks.
 * Statuses that come meanwhile share the question: a broker that hangs does not take a thread with each of them.
 */
final class HeapProbe implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 2;
    private static final long IDLE_SECONDS = 10;

    /** Why there are no heaps to list. */
    static final class UnknownException extends Exception {
        private static final long serialVersionUID = 1L;

        UnknownException(String sentence) {
            super(sentence);
        }
    }

    private final Supplier<HeapBroker> broker;
    private final ThreadPoolExecutor asking = new ThreadPoolExecutor(
            1, 1, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), body -> {
                Thread thread = new Thread(body, "control: heaps");
                thread.setDaemon(true);
                return thread;
            });
    /** The question under way, or null. Guarded by this. */
    private Future<List<HeapInfo>> question;

    /** @param broker the broker that is there now, null for none */
    HeapProbe(Supplier<HeapBroker> broker) {
        this.broker = broker;
        asking.allowCoreThreadTimeOut(true);
    }

    List<HeapInfo> heaps() throws UnknownException {
        HeapBroker asked = broker.get();
        if (asked == null) {
            throw new UnknownException("there is no broker: org.dmabuf.heap.broker is not active");
        }
        try {
            return ask(asked).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new UnknownException("the broker has not answered within " + PATIENCE_SECONDS + " s");
        } catch (ExecutionException e) {
            throw new UnknownException("the broker failed: " + Sentence.of(e));
        } catch (RejectedExecutionException e) {
            throw new UnknownException("the gateway ends");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnknownException("the gateway ends");
        } finally {
            forgetAnswer();
        }
    }

    /** What heaps announced is an object of their bundles, and must not outlive them here. */
    private synchronized void forgetAnswer() {
        if (question != null && question.isDone()) {
            question = null;
        }
    }

    private synchronized Future<List<HeapInfo>> ask(HeapBroker asked) {
        if (question == null || question.isDone()) {
            question = asking.submit(asked::heaps);
        }
        return question;
    }

    @Override
    public void close() {
        asking.shutdownNow();
    }
}
