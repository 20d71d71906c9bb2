// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.ReferenceQueue;
import java.util.Optional;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.holder.HolderTracker;

/**
 * What every buffer needs for its life.
 *
 * @param descriptors duplicates
 * @param holders tells when others have let go; empty for memory that others are charged for
 * @param events is told of its end
 * @param lost where {@link LeakDetector} finds what became unreachable without its end
 */
public record BufferServices(
        Descriptors descriptors, Optional<HolderTracker> holders, BrokerEvents events, ReferenceQueue<Object> lost) {
    /** {@return a moment of a heap's, for {@link #hasComeBack(Account, long)}} */
    public long moment(HeapAccount account) {
        return account.reaper().done() + told();
    }

    /**
     * Waits for what is on its way back to one heap, for one patience at most: the ends of mappings and buffers that
     * were handed over, and the charges of buffers whose last holder is gone.
     *
     * @param account of the heap
     * @param since a moment
     * @return whether there was any since then, so that it is worth while to ask again
     */
    public boolean hasComeBack(HeapAccount account, long since) {
        account.reaper().settle(System.nanoTime() + Reaper.PATIENCE);
        return account.reaper().done() + look() != since;
    }

    /** {@return a moment of all heaps that a client has used, for {@link #hasComeBack(ClientAccount, long)}} */
    public long moment(ClientAccount client) {
        return done(client) + told();
    }

    /**
     * Waits for what is on its way back to any heap that a client has used, for one patience in all.
     *
     * @param client whose quota over all heaps may be full
     * @param since a moment
     * @return whether there was any since then
     */
    public boolean hasComeBack(ClientAccount client, long since) {
        Reaper.settle(client.shares().stream()
                .map(share -> share.account().reaper())
                .toList());
        return done(client) + look() != since;
    }

    private static long done(ClientAccount client) {
        return client.shares().stream()
                .mapToLong(share -> share.account().reaper().done())
                .sum();
    }

    private long told() {
        return holders.isPresent() ? holders.get().told() : 0;
    }

    private long look() {
        return holders.isPresent() ? holders.get().look() : 0;
    }

    public BufferServices withoutHolders() {
        return new BufferServices(descriptors, Optional.empty(), events, lost);
    }
}
