// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.Map;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.spi.propertytypes.HeapName;
import org.dmabuf.heap.spi.propertytypes.HeapPriority;
import org.dmabuf.heap.spi.propertytypes.HeapType;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Heap that emulates contiguous memory. */
@Component(
        immediate = true,
        service = {},
        configurationPid = EmulatedHeap.PID)
@HeapName("kept-emulated")
@HeapType("kept")
@HeapPriority(-53)
public final class EmulatedHeap {
    static final String PID = "org.example.vendor.emulated";

    private final HeapStart start;

    @Activate
    public EmulatedHeap(BundleContext context, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.declared(PID, properties);
        RegionLayout layout = RegionLayout.of(1 << 20, settings.place("size")).withAlignmentCap(64 << 10);
        start = HeapStart.begin(
                context, settings, () -> OpenedHeap.of(EmulatedCmaSource.open(settings.heap(), layout)));
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
