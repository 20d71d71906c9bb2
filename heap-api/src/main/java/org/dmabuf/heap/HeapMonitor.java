// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Monitor of what the broker has charged to heaps and clients, and of every buffer that is out. Get it as an OSGi
 * service.
 *
 * <p>Any thread may call any method. What a method returns is a snapshot and does not change; the sums of one heap are
 * of one moment, those of different heaps may be a moment apart.
 */
@ProviderType
public interface HeapMonitor {
    /** {@return what is charged to each heap that is present or of which memory is out, by name; adopted memory too} */
    List<Charges> heaps();

    /**
     * Lists what is charged to each client, by symbolic name. A buffer is charged to the bundle that allocated or
     * adopted it, whatever other holders it has. Bundles of one symbolic name are one client. A client that has stopped
     * is listed for as long as memory is out that it allocated.
     *
     * @return one for each client
     */
    List<Charges> clients();

    /** {@return what is charged to each client on each heap, by both names; without failures} */
    List<Charges> clientsOnHeaps();

    /**
     * Lists every buffer that is charged: live here, or lingering with holders.
     *
     * @return buffers by heap, then from the oldest
     */
    List<ChargedBuffer> buffers();

    /** Begins all peaks anew, from what is charged now. */
    void resetPeaks();
}
