// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Limit on how many things exist at a time, in all and for each owner. Any thread may call any method.
 *
 * @param <K> the owner
 */
final class Limit<K> {
    private final int all;
    private final int each;
    private final Map<K, Integer> counts = new HashMap<>();
    private int sum;

    Limit(int all, int each) {
        this.all = all;
        this.each = each;
    }

    /** {@return whether one more is within the limits, and counted until {@link #leave}} */
    synchronized boolean enter(K owner) {
        int count = counts.getOrDefault(owner, 0);
        if (sum == all || count == each) {
            return false;
        }
        sum++;
        counts.put(owner, count + 1);
        return true;
    }

    synchronized void leave(K owner) {
        sum--;
        counts.computeIfPresent(owner, (_, count) -> count == 1 ? null : count - 1);
        notifyAll();
    }

    synchronized int count() {
        return sum;
    }

    /** {@return whether nothing is counted any longer; an interrupt ends the wait} */
    synchronized boolean awaitEmpty(Duration timeout) {
        long deadline = System.nanoTime() + timeout.toNanos();
        try {
            long left = timeout.toMillis();
            while (sum > 0 && left > 0) {
                wait(left);
                left = (deadline - System.nanoTime()) / 1_000_000;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return sum == 0;
    }

    @Override
    public synchronized String toString() {
        return all + " in all and " + each + " of one client";
    }
}
