// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.probe.BounceCounter;
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
 * Demands and probes of V4L2 devices that capture or output video. For its demands a device is opened for a moment. A
 * device that transforms video has a format for each process that opens it, so its size is no demand.
 */
@Component(service = {})
public final class VideoDevices implements DeviceDemands, DeviceProbe {
    /** Far more than a frame of any device, and so little that most machines can give it. */
    private static final long LARGEST_SIZE = 1L << 30;

    private final Syscalls syscalls;
    private final BounceCounter counter;
    private final ProbedClass probed;

    /**
     * Registers the services.
     *
     * @param context of this bundle, whose data folder has the outcomes of probes
     */
    @Activate
    public VideoDevices(BundleContext context) {
        this(context, Path.of("/"), Syscalls.linux());
    }

    /** Uses a file system and a kernel of a test. */
    VideoDevices(BundleContext context, Path root, Syscalls syscalls) {
        this.syscalls = syscalls;
        counter = BounceCounter.of(root);
        probed = new ProbedClass("video4linux", root, context);
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
        try (VideoDevice video = VideoDevice.open(device, syscalls)) {
            List<Demand> demands = new ArrayList<>(asked(device, video));
            demands.addAll(probed.memory().demands(device, entry.get()));
            return demands;
        }
    }

    private static List<Demand> asked(String device, VideoDevice video) {
        int capabilities = video.capabilities();
        Set<VideoQueue> queues = VideoQueue.of(capabilities);
        if (queues.isEmpty()) {
            return List.of(); // for radio, teletext or metadata
        }
        if (!canImport(video, capabilities, queues)) {
            String why = "its driver imports no dma-bufs; use the device's own memory, V4L2_MEMORY_MMAP";
            return List.of(Demand.of(device, ConstraintKind.SIZE_MAX, "0", why));
        }
        List<Demand> demands = new ArrayList<>();
        demands.add(Demand.of(device, ConstraintKind.DMABUF, "true", "its driver imports dma-bufs"));
        boolean isOwnFormat = (capabilities & (VideoQueue.CAP_VIDEO_M2M | VideoQueue.CAP_VIDEO_M2M_MPLANE)) != 0;
        for (VideoQueue queue : isOwnFormat ? Set.<VideoQueue>of() : queues) {
            VideoFormat format = video.format(queue);
            demands.add(Demand.of(
                    device, ConstraintKind.SIZE_MIN, Long.toString(format.size()), "present format " + format));
        }
        return demands;
    }

    private static boolean canImport(VideoDevice video, int capabilities, Set<VideoQueue> queues) {
        return (capabilities & VideoDevice.CAP_STREAMING) != 0
                && queues.stream().allMatch(video::canImport);
    }

    @Override
    public Optional<Trial> begin(String device) {
        Optional<DeviceEntry> entry = probed.entry(device);
        if (entry.isEmpty()) {
            return Optional.empty();
        }
        VideoDevice video = VideoDevice.open(device, syscalls);
        Optional<Trial> trial = Optional.empty();
        try {
            trial = begin(device, entry.get(), video);
            return trial;
        } finally {
            if (trial.isEmpty()) {
                video.close();
            }
        }
    }

    private Optional<Trial> begin(String device, DeviceEntry entry, VideoDevice video) {
        int capabilities = video.capabilities();
        Set<VideoQueue> queues = VideoQueue.of(capabilities);
        if (queues.isEmpty()) {
            return Optional.empty();
        }
        if (!canImport(video, capabilities, queues)) {
            throw HeapException.of(
                    Errno.ENOTSUP,
                    "the probe of " + device + " failed: its driver imports no dma-bufs; use the device's own memory,"
                            + " V4L2_MEMORY_MMAP");
        }
        VideoQueue queue = queues.iterator().next();
        VideoFormat format = video.format(queue);
        if (format.size() == 0 || format.size() > LARGEST_SIZE) {
            throw video.unusableSize(format.size());
        }
        video.requestBuffers(queue, 1); // fails if the device is in use
        video.requestBuffers(queue, 0);
        return Optional.of(new VideoTrial(device, entry, video, queue, format, counter, probed.memory()));
    }

    @Override
    public int forget(String device) {
        return probed.forget(device);
    }
}
