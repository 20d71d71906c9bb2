// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Monitor of the memory that the broker has charged to heaps and clients, and of each charged buffer. It is an OSGi
 * service; each bundle gets its own instance with its own peaks.
 *
 * <p>Any thread may call any method. Each method returns a snapshot, which does not change. The figures of one heap are
 * consistent; those of different heaps may have been read at slightly different times.
 */
@ProviderType
public interface HeapMonitor {
    /**
     * {@return the memory charged to each heap that is present or has charged memory, by name, including adopted
     * memory}
     */
    List<UsageRecord> usageByHeap();

    /**
     * Lists the memory charged to each client. A buffer is charged to the client that allocated or adopted it,
     * regardless of other holders. A stopped client is listed as long as memory is charged to it.
     *
     * @return one record for each client, in the order of {@link ClientId}
     */
    List<UsageRecord> usageByClient();

    /**
     * {@return the memory charged to each client on each heap, ordered by heap and client; without failures and waits}
     */
    List<UsageRecord> usageByClientAndHeap();

    /**
     * Lists every charged buffer: live in this process, or lingering with other holders.
     *
     * @return buffers ordered by heap, then by age, oldest first
     */
    List<BufferRecord> buffers();

    /**
     * Lists the heaps as {@link HeapBroker#heaps()} does, with {@link HeapInfo#plainRefusal()} empty. It waits at most
     * one second for the heaps' own figures.
     *
     * @return every known heap
     */
    List<HeapInfo> heaps();

    /**
     * Returns how long tasks have waited for memory since the machine started, from the kernel's pressure stall
     * information: of the gateway's cgroup where it has one, otherwise of the machine. It is the total of the line
     * {@code some}.
     *
     * @return a time that only grows; empty if the kernel has no such figure, and with the in-memory broker
     * @throws HeapException {@link Errno#EMFILE} or {@link Errno#ENFILE} when no descriptor is left for the reading
     */
    Optional<Duration> memoryStall();

    /**
     * Begins to count {@link UsageRecord#allocationTimes()}. The broker times one allocation in 64 of each client on
     * each heap, beginning with the first. It reads no clock for the others. The count ends when every bundle that has
     * called this method has released its monitor. A second call does nothing.
     */
    void timeAllocations();

    /**
     * Returns after the broker has done nothing, under its locks and on its background thread. It calls no heap's code,
     * so a heap that is full or hangs does not delay it. A broker that does not return from this call is stuck.
     *
     * @throws InterruptedException when the thread was interrupted while it waited for the background thread
     */
    void ping() throws InterruptedException;

    /** Resets the peaks of this monitor to the memory that is charged now. Other monitors keep theirs. */
    void resetPeaks();
}
