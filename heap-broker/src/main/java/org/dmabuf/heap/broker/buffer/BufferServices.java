// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.ref.ReferenceQueue;
import java.util.Optional;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fence.DeviceFences;
import org.dmabuf.heap.linux.holder.HolderTracker;

/**
 * Services of the broker that every buffer uses during its life.
 *
 * @param descriptors system calls that duplicate descriptors and read their inodes
 * @param holders the tracker that reports when the last other holder is gone; empty for memory that is charged
 *     elsewhere
 * @param fences the waits for devices
 * @param events the receiver of the buffer's events
 * @param lost the queue in which {@link LeakDetector} finds handles that became unreachable before their end
 */
public record BufferServices(
        Descriptors descriptors,
        Optional<HolderTracker> holders,
        DeviceFences fences,
        BrokerEvents events,
        ReferenceQueue<Object> lost) {
    /** {@return the count of one heap's finished releases, for {@link #hasComeBack(HeapAccount, long)}} */
    public long moment(HeapAccount account) {
        return account.reaper().done() + holderReports();
    }

    /**
     * Waits for the pending releases of one heap, for {@link Reaper#PATIENCE} at most. These are submitted unmaps and
     * releases, and the charges of buffers whose last holder is gone. An interrupt ends the wait, and the thread stays
     * interrupted.
     *
     * @param account of the heap
     * @param since a count from before the attempt
     * @return whether any memory was returned since then, so that another attempt may succeed
     */
    public boolean hasComeBack(HeapAccount account, long since) {
        account.reaper().settleUntilInterrupted(System.nanoTime() + Reaper.PATIENCE);
        return account.reaper().done() + newHolderReports() != since;
    }

    /**
     * {@return the count of finished releases of all heaps that a client has used, for {@link
     * #hasComeBack(ClientAccount, long)}}
     */
    public long moment(ClientAccount client) {
        return done(client) + holderReports();
    }

    /**
     * Waits for the pending releases of all heaps that a client has used, for {@link Reaper#PATIENCE} in all or until
     * an interrupt.
     *
     * @param client the client, whose quota over all heaps may be full
     * @param since a count from before the attempt
     * @return whether any memory was returned since then
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
        return holders.isPresent() ? holders.get().ended() : 0;
    }

    /** Ends the charges of buffers whose last holder outside this process is gone. */
    public void lookForHolders() {
        newHolderReports();
    }

    private long newHolderReports() {
        return holders.isPresent() ? holders.get().look() : 0;
    }

    public BufferServices withoutHolders() {
        return new BufferServices(descriptors, Optional.empty(), fences, events, lost);
    }
}
