// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.util.Arrays;

/** Counts of a stream: frames, gaps in their sequence numbers, and the time that frames spent in this process. */
final class StreamReport {
    private final long[] nanosHere;
    private int frames;
    private long first;
    private long last;
    private long lastSequence;
    private long missedByDriver;
    private long missedHere;

    StreamReport(int mostFrames) {
        nanosHere = new long[mostFrames];
    }

    /**
     * Counts a frame. A gap before it is the driver's if the memory of this frame was in the driver's queue when the
     * previous frame was captured, because the driver fills its queue in order. Otherwise the queue was empty.
     *
     * @param queuedAt when the memory was given to the driver
     */
    void taken(CapturedFrame frame, long queuedAt) {
        if (frames == 0) {
            first = frame.captured();
        } else {
            long missed = frame.sequence() - lastSequence - 1;
            if (queuedAt - last < 0) {
                missedByDriver += missed;
            } else {
                missedHere += missed;
            }
        }
        last = frame.captured();
        lastSequence = frame.sequence();
        frames++;
    }

    /** Adds the time of the frame that was taken last, without that of the viewer. */
    void spent(long nanos) {
        nanosHere[frames - 1] = nanos;
    }

    @Override
    public String toString() {
        long[] sorted = Arrays.copyOf(nanosHere, frames);
        Arrays.sort(sorted);
        double seconds = (last - first) / 1e9;
        return frames + " frames in %.1f s, %.1f a second; missed %d while the queue had memory, %d while it had none; "
                .formatted(seconds, (frames - 1) / seconds, missedByDriver, missedHere)
                + "here each took %d us (median), %d us (longest)"
                        .formatted(sorted[frames / 2] / 1000, sorted[frames - 1] / 1000);
    }
}
