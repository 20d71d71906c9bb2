// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;

/** The questions to heaps to give back what they keep for speed. Any thread may call any method. */
public final class HeapTrims {
    /** How long a request waits for all heaps together. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(1);

    /** The last question to each heap that has not answered it. */
    private final ConcurrentMap<CallGate, HeapTrim> underWay = new ConcurrentHashMap<>();
    /** Heaps whose trim is being called. */
    private final Set<CallGate> called = ConcurrentHashMap.newKeySet();

    /**
     * Asks every heap that serves and does not hang, and waits a second at most for all together.
     *
     * @param routes the heaps
     * @param bytes how much is wanted of each
     * @return whether any gave something back
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
     * Has a heap asked, unless a question for as much is under way: a heap that answers slowly must not get more
     * questions than it answers.
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

    /** {@return whether the heap may be called, until {@link #leave}; false while it hangs in an earlier call} */
    boolean enter(HeapTrim trim) {
        return called.add(trim.gate());
    }

    void leave(HeapTrim trim) {
        called.remove(trim.gate());
    }
}
