// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
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

    /** Resets the peaks of this monitor to the memory that is charged now. Other monitors keep theirs. */
    void resetPeaks();
}
