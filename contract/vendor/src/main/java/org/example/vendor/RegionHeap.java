// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.Map;
import org.dmabuf.heap.linux.component.FreeName;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.spi.propertytypes.HeapCached;
import org.dmabuf.heap.spi.propertytypes.HeapDmaBits;
import org.dmabuf.heap.spi.propertytypes.HeapId;
import org.dmabuf.heap.spi.propertytypes.HeapMappable;
import org.dmabuf.heap.spi.propertytypes.HeapName;
import org.dmabuf.heap.spi.propertytypes.HeapPeers;
import org.dmabuf.heap.spi.propertytypes.HeapPriority;
import org.dmabuf.heap.spi.propertytypes.HeapProtected;
import org.dmabuf.heap.spi.propertytypes.HeapQuota;
import org.dmabuf.heap.spi.propertytypes.HeapRestricted;
import org.dmabuf.heap.spi.propertytypes.HeapType;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/**
 * Heap with a region that is reserved at its start. It declares its properties by annotations, and permits one foreign
 * user as a peer.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = RegionHeap.PID)
@HeapName("kept-region")
@HeapType("kept")
@HeapId(52)
@HeapPriority(-52)
@HeapCached(false)
@HeapMappable
@HeapProtected(false)
@HeapRestricted(false)
@HeapDmaBits(40)
@HeapQuota(1 << 20)
@HeapPeers(64999)
public final class RegionHeap {
    static final String PID = "org.example.vendor.region";

    private final HeapStart start;

    @Activate
    public RegionHeap(BundleContext context, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.declared(PID, properties);
        RegionLayout layout = RegionLayout.of(1 << 20, settings.place("size"))
                .withChunk(4096)
                .withGranule(4096)
                .withExports(settings.oneOf("exports", "auto", RegionLayout.Exports.class));
        start = HeapStart.begin(context, settings, () -> {
            FreeName.require(context, settings);
            return OpenedHeap.of(RegionSource.open(settings.heap(), layout));
        });
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
