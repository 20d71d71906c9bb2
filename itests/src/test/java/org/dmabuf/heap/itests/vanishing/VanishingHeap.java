// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.vanishing;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/** A vendor's heap that withdraws its service after some allocations. */
public final class VanishingHeap implements BundleActivator {
    private static final int LAST = 100;

    private ServiceRegistration<HeapExporter> registration;

    @Override
    public void start(BundleContext context) {
        MemfdSource source = MemfdSource.open("vanishing");
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, "vanishing");
        properties.put(HeapProperties.PRIORITY, -1);
        AtomicInteger allocations = new AtomicInteger();
        HeapExporter exporter = request -> {
            if (allocations.incrementAndGet() == LAST) {
                registration.unregister();
            }
            return source.allocate(request);
        };
        registration = context.registerService(HeapExporter.class, exporter, FrameworkUtil.asDictionary(properties));
    }

    @Override
    public void stop(BundleContext context) {
        // The framework unregisters the service, unless the heap has done so.
    }
}
