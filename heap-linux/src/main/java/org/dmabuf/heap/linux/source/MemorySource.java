// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Source of memory, and a complete exporter. A heap registers it as a service with {@link #properties()} and a name,
 * and closes it after unregistering the service. Its buffers stay valid, even without the heap's bundle, because their
 * classes are in heap-linux.
 */
@ProviderType
public interface MemorySource extends HeapExporter, AutoCloseable {
    /** {@return the service properties of {@link HeapProperties} for this memory, as determined from the kernel} */
    Map<String, Object> properties();

    /**
     * Chooses the limits that apply to this memory.
     *
     * @param all the limits of the machine and of this process's cgroup
     * @return the limits that apply
     */
    default Headroom limits(Headroom all) {
        return all;
    }

    /**
     * Releases what the source holds between allocations. Allocations in progress finish, later ones are refused. A
     * second call does nothing.
     */
    @Override
    void close();
}
