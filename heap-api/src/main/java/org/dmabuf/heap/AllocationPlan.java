// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.List;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Plan of a client for buffers that several devices use: the demands of the devices, and the heaps that meet all of
 * them. It is solved once and used for any number of allocations.
 *
 * <p>When a heap arrives, leaves or changes, the next call solves the plan again, with the same demands. A call can
 * therefore fail as {@link HeapBroker#plan} does. A plan holds nothing and needs no close. Any thread may call any
 * method. After the client has stopped, {@code allocate} throws {@link IllegalStateException}.
 */
@ProviderType
public interface AllocationPlan {
    /** {@return the request that was planned} */
    AllocationRequest request();

    /**
     * {@return the demands of the devices, as the sources reported them, and of the client, in order of the request}
     */
    List<Demand> demands();

    /**
     * Returns the size that is requested of the heaps.
     *
     * @return bytes: the request's size, raised to the least size and rounded up to the granules that are demanded
     * @throws HeapRefusedException when no heap meets all demands any longer
     */
    long size();

    /**
     * Returns the number of buffers that the devices hold together.
     *
     * @return the sum of their demands of the kind {@code buffers}, 0 if there are none
     * @throws HeapRefusedException when no heap meets all demands any longer
     */
    long buffers();

    /**
     * Returns the heaps that meet all demands, in the order in which they are asked.
     *
     * @return names of heaps, at least one
     * @throws HeapRefusedException when no heap meets all demands any longer
     */
    List<String> heaps();

    /**
     * Returns the other heaps that a request without demands would ask, for a report to a person. A client that only
     * allocates does not need them.
     *
     * @return each heap with the reason why the plan does not use it
     * @throws HeapRefusedException when no heap meets all demands any longer
     */
    List<Attempt> refusals();

    /**
     * Allocates one buffer, as {@link HeapBroker#allocate(AllocationRequest)}. Permissions and quotas are checked with
     * each call. No device and no source is asked.
     *
     * @return a buffer that the caller closes
     * @throws HeapException as {@link HeapBroker#allocate(AllocationRequest)}
     */
    DmaBuf allocate();

    /**
     * Allocates several equal buffers, all from one heap or none, as
     * {@link HeapBroker#allocate(AllocationRequest, int)}.
     *
     * @param count number of buffers, 1 to {@value HeapBroker#MOST_AT_ONCE}
     * @return {@code count} buffers; the caller closes each
     * @throws IllegalArgumentException for another count
     * @throws HeapException as {@link #allocate()}, with nothing held
     */
    List<DmaBuf> allocate(int count);
}
