// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.List;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.DeviceDemands;
import org.osgi.service.component.annotations.Component;

/** Source of the demands of one device. */
@Component
public final class OwnDevices implements DeviceDemands {
    @Override
    public List<Demand> demands(String device) {
        return device.equals("/dev/kept")
                ? List.of(Demand.parse(device + " mappable=true kept"), Demand.parse(device + " buffers=2 kept"))
                : List.of();
    }
}
