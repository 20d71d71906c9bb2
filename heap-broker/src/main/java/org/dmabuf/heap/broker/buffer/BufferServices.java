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
 * The services of the broker that every buffer uses during its life.
 *
 * @param descriptors duplicates descriptors and reads their inodes
 * @param holders reports when other holders have let go; empty for memory that is charged elsewhere
 * @param events receives the end of the buffer
 * @param lost the queue in which {@link LeakDetector} finds handles that became unreachable before their end
 */
public record BufferServices(
        Descriptors descriptors, Optional<HolderTracker> holders, BrokerEvents events, ReferenceQueue<Object> lost) {
    /** {@return a moment of one heap, for {@link #hasComeBack(HeapAccount, long)}} */
    public long moment(HeapAccount account) {
        return account.reaper().done() + holderReports();
    }

    /**
     * Waits for memory that is on its way back to one heap, for {@link Reaper#PATIENCE} at most: the ends of mappings
     * and buffers that were handed over, and the charges of buffers whose last holder is gone. An interrupt ends the
     * wait, and the thread stays interrupted.
     *
     * @param account of the heap
     * @param since a moment
     * @return whether any has come back since then, so that it is worth while to ask again
     */
    public boolean hasComeBack(HeapAccount account, long since) {
        account.reaper().settleUntilInterrupted(System.nanoTime() + Reaper.PATIENCE);
        return account.reaper().done() + newHolderReports() != since;
    }

    /** {@return a moment of all heaps that a client has used, for {@link #hasComeBack(ClientAccount, long)}} */
    public long moment(ClientAccount client) {
        return done(client) + holderReports();
    }

    /**
     * Waits for memory that is on its way back to any heap that a client has used, for {@link Reaper#PATIENCE} in all
     * or until an interrupt.
     *
     * @param client the client, whose quota over all heaps may be full
     * @param since a moment
     * @return whether any has come back since then
     */
    public boolean hasComeBack(ClientAccount client, long since) {
        long deadline = System.nanoTime() + Reaper.PATIENCE;
        client.shares().forEach(share -> share.account().reaper().settleUntilInterrupted(deadline));
        return done(client) + newHolderReports() != since;
    }

    private static long done(ClientAccount client) {
        return client.shares().stream()
                .mapToLong(share -> share.account().reaper().done())
                .sum();
    }

    private long holderReports() {
        return holders.isPresent() ? holders.get().told() : 0;
    }

    /** Ends the charges of buffers whose last holder outside this process is gone by now. */
    public void lookForHolders() {
        newHolderReports();
    }

    private long newHolderReports() {
        return holders.isPresent() ? holders.get().look() : 0;
    }

    public BufferServices withoutHolders() {
        return new BufferServices(descriptors, Optional.empty(), events, lost);
    }
}
