// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Heap with an exporter, buffers and a map of its own. It tests one buffer and registers itself. */
@Component(
        immediate = true,
        service = {})
public final class OwnHeap {
    static final String NAME = "kept-own";

    private final MemorySource source;
    private final ServiceRegistration<?> heap;

    @Activate
    public OwnHeap(BundleContext context) {
        source = MemfdSource.open(NAME);
        OwnExporter exporter = new OwnExporter(source);
        exporter.allocate(HeapRequest.of(1)
                        .withAlignment(4096)
                        .withExport(ExportMode.NONE)
                        .withName("trial"))
                .release();
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, NAME);
        properties.put(HeapProperties.ID, 51);
        properties.put(HeapProperties.TYPE, "kept");
        properties.put(HeapProperties.PRIORITY, -51);
        heap = context.registerService(
                new String[] {HeapExporter.class.getName(), RegionMap.class.getName()},
                exporter,
                FrameworkUtil.asDictionary(properties));
    }

    @Deactivate
    void stop() throws Exception {
        heap.unregister();
        source.close();
    }
}
