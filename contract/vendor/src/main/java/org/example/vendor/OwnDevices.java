// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.ProbeOutcome;
import org.osgi.service.component.annotations.Component;

/** Source of the demands of one device, which a probe can ask. */
@Component
public final class OwnDevices implements DeviceDemands, DeviceProbe {
    private static final String DEVICE = "/dev/kept";

    @Override
    public List<Demand> demands(String device) {
        return device.equals(DEVICE)
                ? List.of(Demand.parse(device + " mappable=true kept"), Demand.parse(device + " buffers=2 kept"))
                : List.of();
    }

    @Override
    public Optional<Trial> begin(String device) {
        return device.equals(DEVICE) ? Optional.of(new OwnTrial()) : Optional.empty();
    }

    @Override
    public int forget(String device) {
        return 0;
    }

    /** Trial that has an answer of each kind, and decides by the size of the buffer. */
    private static final class OwnTrial implements Trial {
        @Override
        public long size() {
            return 4096;
        }

        @Override
        public String format() {
            return "bytes";
        }

        @Override
        public ProbeOutcome attach(DmaBuf buffer) {
            ProbeOutcome refused = ProbeOutcome.refused("ATTACH", Errno.EFAULT.number());
            for (ProbeOutcome outcome : List.of(
                    refused, ProbeOutcome.bounced(4096), ProbeOutcome.attached(), ProbeOutcome.accepted(true))) {
                boolean isRefusal = outcome.result() == ProbeOutcome.Result.REFUSED;
                if (isRefusal != outcome.operation().isPresent()
                        || isRefusal != outcome.number().isPresent()
                        || outcome.isLasting()
                                && outcome.isBounceObservable()
                                        != outcome.bouncedBytes().isPresent()) {
                    throw new AssertionError(outcome);
                }
            }
            return buffer.size() < size() ? refused : ProbeOutcome.accepted(false);
        }

        @Override
        public void close() {
            // Nothing is open.
        }
    }
}
