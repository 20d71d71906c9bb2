// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;

/** The questions to heaps to give back what they keep for speed. Any thread may call any method. */
public final class HeapTrims {
    /** How long a request waits for all heaps together. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(1);

    private final ConcurrentMap<CallGate, HeapTrim> underWay = new ConcurrentHashMap<>();

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
                asked.add(HeapTrim.ask(heap, bytes, underWay));
            }
        }
        long deadline = System.nanoTime() + PATIENCE;
        boolean some = false;
        for (HeapTrim trim : asked) {
            some |= trim.await(deadline) > 0;
        }
        return some;
    }
}
