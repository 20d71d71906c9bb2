// SPDX-License-Identifier: Apache-2.0
package org.example.banked;

import java.util.List;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.DeviceDemands;
import org.osgi.service.component.annotations.Component;

/** Source of the demands of the vendor's processor, which reads the memory of bank 2. */
@Component
public final class BankedDevice implements DeviceDemands {
    static final String DEVICE = "/dev/acme-npu0";

    private static final ConstraintKind BANK = ConstraintKind.oneOf("bank", BankedHeap.BANK);
    private static final List<Demand> DEMANDS =
            List.of(Demand.of(DEVICE, BANK, "2", "manual of the processor, chapter 4"));

    @Override
    public List<Demand> demands(String device) {
        return device.equals(DEVICE) ? DEMANDS : List.of();
    }
}
