// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.WaitingHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/**
 * Heap with an exporter, buffers and a map of its own, which registers itself. While it is there, another heap of this
 * bundle waits.
 */
@Component(immediate = true, service = {})
public final class OwnHeap {
    static final String NAME = "kept-own";
    private static final String WAITING = "kept-waiting";

    private final MemorySource source;
    private final ServiceRegistration<?> heap;
    private final ServiceRegistration<?> waiting;

    @Activate
    public OwnHeap(BundleContext context) {
        source = MemfdSource.open(NAME, Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.NAME, NAME);
        properties.put(HeapProperties.ID, 51);
        properties.put(HeapProperties.TYPE, "kept");
        properties.put(HeapProperties.PRIORITY, -51);
        heap = context.registerService(
                new String[] {HeapExporter.class.getName(), RegionMap.class.getName()},
                new OwnExporter(source),
                FrameworkUtil.asDictionary(properties));
        waiting = context.registerService(
                WaitingHeap.class,
                new WaitingHeap() {},
                FrameworkUtil.asDictionary(
                        Map.of(HeapProperties.NAME, WAITING, WaitingHeap.REASON, "a device is missing; plug it in")));
    }

    @Deactivate
    void stop() throws Exception {
        waiting.unregister();
        heap.unregister();
        source.close();
    }
}
