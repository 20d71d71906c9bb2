// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Heap of a region that is reserved when it starts. */
@Component(immediate = true, service = {}, configurationPid = RegionHeap.PID)
public final class RegionHeap {
    static final String PID = "org.example.vendor.region";
    private static final String NAME = "kept-region";

    private final HeapStart start;

    @Activate
    public RegionHeap(BundleContext context, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.of(PID, "kept", properties, NAME, () -> 52, () -> -52);
        RegionLayout layout = RegionLayout.of(1 << 20, settings.place("size"))
                .withChunk(4096)
                .withGranule(4096)
                .withExports(settings.oneOf("exports", "auto", RegionLayout.Exports.class));
        start = HeapStart.begin(
                context,
                settings,
                () -> OpenedHeap.of(RegionSource.open(NAME, layout, Syscalls.linux(), Headroom.machine()))
                        .with(HeapProperties.TYPE, "kept"));
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
