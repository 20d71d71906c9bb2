// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;

/** Requests to heaps to release memory that they keep for speed. Any thread may call any method. */
public final class HeapTrims {
    /** The longest wait for the answers of all heaps together. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(1);

    /** The last unanswered request to each heap. */
    private final ConcurrentMap<CallGate, HeapTrim> underWay = new ConcurrentHashMap<>();
    /** Heaps whose trim is running. */
    private final Set<CallGate> called = ConcurrentHashMap.newKeySet();

    /**
     * Asks every heap that serves and does not hang, and waits at most a second for all answers together.
     *
     * @param routes the heaps
     * @param bytes the bytes that each heap is asked for
     * @return whether any heap released memory
     * @throws InterruptedException when the thread is interrupted
     */
    public boolean ask(RoutingTable routes, long bytes) throws InterruptedException {
        List<HeapTrim> asked = new ArrayList<>();
        for (int turn = 0; turn < routes.size(); turn++) {
            RegisteredHeap heap = routes.inOrder(turn);
            if (!heap.account().reaper().hangs()) {
                asked.add(ask(heap, bytes));
            }
        }
        long deadline = System.nanoTime() + PATIENCE;
        boolean some = false;
        for (HeapTrim trim : asked) {
            some |= trim.await(deadline) > 0;
        }
        return some;
    }

    /**
     * Submits a request to a heap, unless a request for as many bytes is in progress. So requests to a slow heap do not
     * pile up.
     */
    private HeapTrim ask(RegisteredHeap heap, long bytes) {
        while (true) {
            HeapTrim other = underWay.get(heap.gate());
            if (other != null && other.wanted() >= bytes) {
                return other;
            }
            HeapTrim mine = new HeapTrim(heap, bytes, this);
            if (other == null
                    ? underWay.putIfAbsent(heap.gate(), mine) == null
                    : underWay.replace(heap.gate(), other, mine)) {
                mine.submit();
                return mine;
            }
        }
    }

    void answered(HeapTrim trim) {
        underWay.remove(trim.gate(), trim);
    }

    /** {@return whether the caller may call trim until {@link #leave}; false while an earlier call hangs} */
    boolean enter(HeapTrim trim) {
        return called.add(trim.gate());
    }

    void leave(HeapTrim trim) {
        called.remove(trim.gate());
    }
}
