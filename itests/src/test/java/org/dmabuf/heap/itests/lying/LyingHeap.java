// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.lying;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;

/** A vendor's heap that announces memfds as dma-bufs. */
public final class LyingHeap implements BundleActivator {
    @Override
    public void start(BundleContext context) {
        MemfdSource source = MemfdSource.open("lying");
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, "lying");
        properties.put(HeapProperties.PRIORITY, -1);
        properties.put(HeapProperties.DMABUF, true);
        context.registerService(HeapExporter.class, source, FrameworkUtil.asDictionary(properties));
    }

    @Override
    public void stop(BundleContext context) {
        // The framework unregisters the service.
    }
}
