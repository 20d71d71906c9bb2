// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi;

import java.util.List;
import org.dmabuf.heap.constraint.Demand;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Source of the demands of devices. A bundle that knows devices registers it as a service, and the broker asks every
 * source about each device of a request. The demands of all sources count.
 *
 * <p>The broker calls it in the thread of a client, and under no lock. Several threads may call it at a time. When
 * other demands are known for a device, the source changes a property of its service. The broker then asks again for
 * the next request. A plan that a client holds keeps its demands.
 */
@ConsumerType
public interface DeviceDemands {
    /**
     * Returns the demands of one device. A source reports only what it has read. It does not leave out a demand because
     * it seems unlikely to matter.
     *
     * @param device the path of a device file, as the client named it
     * @return its demands; empty if this source does not know the device
     * @throws org.dmabuf.heap.HeapException when the device cannot be read; the request fails with it
     */
    List<Demand> demands(String device);
}
