// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Monitor of what the broker has charged to heaps and clients, and of every buffer that is out. Get it as an OSGi
 * service: each bundle has its own, with its own peaks.
 *
 * <p>Any thread may call any method. What a method returns is a snapshot and does not change; the figures of one heap
 * are of one moment, those of different heaps may be a moment apart.
 */
@ProviderType
public interface HeapMonitor {
    /** {@return what is charged to each heap that is present or of which memory is out, by name; adopted memory too} */
    List<UsageRecord> usageByHeap();

    /**
     * Lists what is charged to each client. A buffer is charged to the client that allocated or adopted it, whatever
     * other holders it has. A client that has stopped is listed for as long as memory is out that it allocated.
     *
     * @return one for each client, in the order of {@link ClientId}
     */
    List<UsageRecord> usageByClient();

    /** {@return what is charged to each client on each heap, by both; without failures and waits} */
    List<UsageRecord> usageByClientAndHeap();

    /**
     * Lists every buffer that is charged: live here, or lingering with holders.
     *
     * @return buffers by heap, then from the oldest
     */
    List<BufferRecord> buffers();

    /** Begins the peaks that this monitor shows anew, from what is charged now. Those of other monitors stay. */
    void resetPeaks();
}
