// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;

/**
 * Asks the broker for its heaps, and goes on without an answer that does not come. One thread asks at a time, so that a
 * broker that hangs does not take a thread with each status.
 */
final class HeapProbe implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 2;

    /** Why there are no heaps to tell. */
    static final class UnknownException extends Exception {
        private static final long serialVersionUID = 1L;

        UnknownException(String sentence) {
            super(sentence);
        }
    }

    private final Supplier<HeapBroker> broker;
    private final ThreadPoolExecutor asking =
            new ThreadPoolExecutor(0, 1, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), body -> {
                Thread thread = new Thread(body, "control: heaps");
                thread.setDaemon(true);
                return thread;
            });

    /** @param broker the broker that is there now, null for none */
    HeapProbe(Supplier<HeapBroker> broker) {
        this.broker = broker;
    }

    List<HeapInfo> heaps() throws UnknownException {
        HeapBroker asked = broker.get();
        if (asked == null) {
            throw new UnknownException("there is no broker: org.dmabuf.heap.broker is not active");
        }
        try {
            Future<List<HeapInfo>> answer = asking.submit(asked::heaps);
            return answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (RejectedExecutionException | TimeoutException e) {
            throw new UnknownException("the broker has not answered within " + PATIENCE_SECONDS + " s");
        } catch (ExecutionException e) {
            throw new UnknownException("the broker failed: " + Sentence.of(e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnknownException("the gateway ends");
        }
    }

    @Override
    public void close() {
        asking.shutdownNow();
    }
}
