// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.probe.BounceCounter;
import org.dmabuf.heap.linux.probe.DeviceEntry;
import org.dmabuf.heap.linux.probe.OutcomeMemory;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.ProbeOutcome;

/**
 * Trial of one queue of a V4L2 device in its present format. The format is never set, so there is nothing to restore.
 * The buffers are removed after each attachment.
 */
final class VideoTrial implements DeviceProbe.Trial {
    private final String path;
    private final DeviceEntry entry;
    private final VideoDevice device;
    private final VideoQueue queue;
    private final VideoFormat format;
    private final BounceCounter counter;
    private final OutcomeMemory memory;

    /** Takes over the device. Its queue has no buffers. */
    VideoTrial(
            String path,
            DeviceEntry entry,
            VideoDevice device,
            VideoQueue queue,
            VideoFormat format,
            BounceCounter counter,
            OutcomeMemory memory) {
        this.path = path;
        this.entry = entry;
        this.device = device;
        this.queue = queue;
        this.format = format;
        this.counter = counter;
        this.memory = memory;
    }

    @Override
    public long size() {
        return format.size();
    }

    @Override
    public String format() {
        return format.toString();
    }

    @Override
    public ProbeOutcome attach(DmaBuf buffer) {
        if (buffer.size() < size()) {
            throw new IllegalArgumentException(
                    "invalid buffer of " + buffer.size() + " bytes: expected at least " + size() + " bytes");
        }
        ProbeOutcome outcome;
        try (OwnedFd fd = buffer.exportFd()) {
            outcome = counter.observe("PREPARE_BUF", new Preparation(fd.fd()));
        }
        memory.remember(entry, buffer, size(), format(), outcome);
        return outcome;
    }

    /** Attachment by VIDIOC_PREPARE_BUF, which maps the buffer and does not queue it. */
    private final class Preparation implements BounceCounter.Attachment {
        private final int fd;
        private boolean hasEntries;

        Preparation(int fd) {
            this.fd = fd;
        }

        @Override
        public int attach() {
            device.requestBuffers(queue, 1);
            hasEntries = true;
            if (!device.format(queue).equals(format)) { // it cannot change any more while there are entries
                throw HeapException.of(
                        Errno.EBUSY,
                        "the probe of " + path + " failed: another program has set the format " + device.format(queue)
                                + "; end that program, and repeat the command");
            }
            return device.prepare(queue, format, fd);
        }

        @Override
        public void detach() {
            if (hasEntries) {
                hasEntries = false;
                device.requestBuffers(queue, 0);
            }
        }
    }

    /** Closes the device. If its queue still has buffers after a failure, the kernel removes them. */
    @Override
    public void close() {
        device.close();
    }
}
