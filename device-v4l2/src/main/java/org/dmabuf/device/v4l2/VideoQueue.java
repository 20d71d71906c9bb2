// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import java.util.EnumSet;
import java.util.Set;

/** Queue of buffers of a V4L2 device, with the kernel's number of its type. The numbers are those of videodev2.h. */
enum VideoQueue {
    CAPTURE(1, 0x1),
    OUTPUT(2, 0x2),
    CAPTURE_MPLANE(9, 0x1000),
    OUTPUT_MPLANE(10, 0x2000);

    /** Capability of a device that transforms the buffers of one queue into those of the other. */
    static final int CAP_VIDEO_M2M = 0x8000;

    static final int CAP_VIDEO_M2M_MPLANE = 0x4000;

    private final int type;
    private final int capability;

    VideoQueue(int type, int capability) {
        this.type = type;
        this.capability = capability;
    }

    /** {@return the queues of a device, those for capturing first} */
    static Set<VideoQueue> of(int capabilities) {
        Set<VideoQueue> queues = EnumSet.noneOf(VideoQueue.class);
        for (VideoQueue queue : values()) {
            if ((capabilities & queue.capability) != 0) {
                queues.add(queue);
            }
        }
        if ((capabilities & CAP_VIDEO_M2M) != 0) {
            queues.addAll(Set.of(CAPTURE, OUTPUT));
        }
        if ((capabilities & CAP_VIDEO_M2M_MPLANE) != 0) {
            queues.addAll(Set.of(CAPTURE_MPLANE, OUTPUT_MPLANE));
        }
        return queues;
    }

    /** {@return the number of enum v4l2_buf_type} */
    int type() {
        return type;
    }

    boolean hasPlanes() {
        return this == CAPTURE_MPLANE || this == OUTPUT_MPLANE;
    }
}
