// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.util.LongSummaryStatistics;

/** Counts of a stream: frames, gaps in their sequence numbers, and the time that frames spent in this process. */
final class StreamReport {
    private final LongSummaryStatistics nanosHere = new LongSummaryStatistics();
    private long frames;
    private long first;
    private long last;
    private long lastSequence;
    private long missedByDriver;
    private long missedHere;

    /**
     * Counts a frame. A gap before it is the driver's if the memory of this frame was in the driver's queue when the
     * previous frame was captured, because the driver fills its queue in order. Otherwise the queue was empty.
     *
     * @param queuedAt when the memory was given to the driver
     */
    void taken(CapturedFrame frame, long queuedAt) {
        long missed = Math.max(0, frame.sequence() - lastSequence - 1); // some drivers repeat a number
        if (frames == 0) {
            first = frame.captured();
        } else if (queuedAt - last < 0) {
            missedByDriver += missed;
        } else {
            missedHere += missed;
        }
        last = frame.captured();
        lastSequence = frame.sequence();
        frames++;
    }

    /** Adds the time of the frame that was taken last, without that of the viewer. */
    void spent(long nanos) {
        nanosHere.accept(nanos);
    }

    @Override
    public String toString() {
        double seconds = (last - first) / 1e9;
        return "%d frames in %.1f s; missed %d with memory in the queue, %d without; here %.0f us each, at most %d us"
                .formatted(
                        frames,
                        seconds,
                        missedByDriver,
                        missedHere,
                        nanosHere.getAverage() / 1000,
                        nanosHere.getMax() / 1000);
    }
}
