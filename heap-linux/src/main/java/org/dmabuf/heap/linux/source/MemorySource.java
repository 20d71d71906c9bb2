// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Source of memory, and a complete exporter: a heap registers it as a service with {@link #properties()} and a
 * name, and closes it when the service has gone. Its buffers live on, also when the heap's bundle has gone, because
 * their classes are this bundle's.
 */
@ProviderType
public interface MemorySource extends HeapExporter, AutoCloseable {
    /** {@return the service properties of {@link HeapProperties} that are true of this memory: the kernel was asked} */
    Map<String, Object> properties();

    /**
     * Chooses the limits that hold for this memory.
     *
     * @param all the limits of the machine and of this process's cgroup
     * @return those of them that hold
     */
    default Headroom limits(Headroom all) {
        return all;
    }

    /**
     * Gives back what the source holds between allocations. Allocations that are under way end as they would have;
     * later ones are refused. A second call does nothing.
     */
    @Override
    void close();
}
