// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.drm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.probe.DeviceEntry;
import org.dmabuf.heap.linux.probe.ProbedClass;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.DeviceProbe;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/**
 * Demands and probes of DRM devices. For its demands a device is not opened: since Linux 6.6 the kernel announces
 * imports (DRM_CAP_PRIME) for every driver, also for one that refuses them all. The kernel shows no limits on imported
 * memory. DRM_IOCTL_MODE_CREATE_DUMB describes the driver's own buffers only.
 */
@Component(service = {})
public final class DrmDevices implements DeviceDemands, DeviceProbe {
    private final Syscalls syscalls;
    private final ProbedClass probed;

    /**
     * Registers the services.
     *
     * @param context of this bundle, whose data folder has the outcomes of probes
     */
    @Activate
    public DrmDevices(BundleContext context) {
        this(context, Path.of("/"), Syscalls.linux());
    }

    /** Uses a file system and a kernel of a test. */
    DrmDevices(BundleContext context, Path root, Syscalls syscalls) {
        this.syscalls = syscalls;
        probed = new ProbedClass("drm", root, context);
        probed.register(this);
    }

    /** Ends the services. The outcomes stay in the file. */
    @Deactivate
    void stop() {
        probed.unregister();
    }

    @Override
    public List<Demand> demands(String device) {
        Optional<DeviceEntry> entry = probed.entry(device);
        if (entry.isEmpty()) {
            return List.of();
        }
        List<Demand> demands = new ArrayList<>();
        demands.add(Demand.of(device, ConstraintKind.DMABUF, "true", "DRM devices import dma-bufs"));
        demands.addAll(probed.memory().demands(device, entry.get()));
        return demands;
    }

    @Override
    public Optional<Trial> begin(String device) {
        Optional<DeviceEntry> entry = probed.entry(device);
        if (entry.isEmpty()) {
            return Optional.empty();
        }
        DrmDevice opened = DrmDevice.open(device, syscalls);
        Optional<Trial> trial = Optional.empty();
        try {
            trial = Optional.of(new DrmTrial(entry.get(), opened, probed.memory()));
            return trial;
        } finally {
            if (trial.isEmpty()) { // for lack of Java memory
                opened.close();
            }
        }
    }

    @Override
    public int forget(String device) {
        return probed.forget(device);
    }
}
