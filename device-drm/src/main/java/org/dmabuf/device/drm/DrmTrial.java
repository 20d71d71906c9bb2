// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.drm;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.probe.DeviceEntry;
import org.dmabuf.heap.linux.probe.OutcomeMemory;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.ProbeOutcome;

/**
 * Trial of imports into a DRM device. Many drivers map the memory at its first use, and others map it although they use
 * it in another way. So the outcome of an import is no more than that, and copies of the kernel are not counted.
 */
final class DrmTrial implements DeviceProbe.Trial {
    private final DeviceEntry entry;
    private final DrmDevice device;
    private final OutcomeMemory memory;

    /** Takes over the device. */
    DrmTrial(DeviceEntry entry, DrmDevice device, OutcomeMemory memory) {
        this.entry = entry;
        this.device = device;
        this.memory = memory;
    }

    /** {@return one page, because an import has no format} */
    @Override
    public long size() {
        return Bytes.PAGE;
    }

    @Override
    public String format() {
        return "no format";
    }

    @Override
    public ProbeOutcome attach(DmaBuf buffer) {
        int result;
        try (OwnedFd fd = buffer.exportFd()) {
            result = device.attach(fd.fd());
        }
        ProbeOutcome outcome =
                result < 0 ? ProbeOutcome.refused("PRIME_FD_TO_HANDLE", -result) : ProbeOutcome.attached();
        memory.remember(entry, buffer, size(), format(), outcome);
        return outcome;
    }

    @Override
    public void close() {
        device.close();
    }
}
