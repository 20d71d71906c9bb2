// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.hung;

import java.util.Dictionary;
import java.util.Hashtable;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;

/** Vendor's heap {@code hung} whose allocations never return. Its bundle contains only this class. */
public final class HungHeap implements BundleActivator, HeapExporter {
    /** Called by the framework. */
    public HungHeap() {}

    @Override
    public void start(BundleContext context) {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(HeapProperties.NAME, "hung");
        properties.put(HeapProperties.TYPE, "hung");
        properties.put(HeapProperties.ID, 63);
        context.registerService(HeapExporter.class, this, properties);
    }

    @Override
    public void stop(BundleContext context) {}

    /** Prints a line and waits, also after an interrupt. */
    @Override
    public HeapBuffer allocate(HeapRequest request) {
        System.err.println("an allocation hangs");
        while (true) {
            LockSupport.park();
            Thread.interrupted();
        }
    }
}
