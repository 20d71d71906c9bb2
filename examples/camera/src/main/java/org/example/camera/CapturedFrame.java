// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.util.List;

/**
 * Frame that a driver has filled.
 *
 * @param index number of its entry in the queue
 * @param sequence number of the frame since the start of the stream, as the driver counts
 * @param captured time of the driver, on the clock of {@link System#nanoTime}
 * @param taken time at which the frame left the driver's queue, on the same clock
 * @param planes place of the pixels in the memory of each plane
 */
record CapturedFrame(int index, long sequence, long captured, long taken, List<Span> planes) {
    /** Bytes in a buffer. Some drivers begin with bytes of their own, which are not part of the picture. */
    record Span(int offset, int size) {}
}
