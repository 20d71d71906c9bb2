// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Test picture: eight colour bars above a grey ramp. Both halves are asymmetric, so that mistakes in rows, columns or
 * colours are visible in the result.
 */
final class TestCard {
    static final int WIDTH = 640;
    static final int HEIGHT = 480;
    /** Size of the picture in bytes. Rows have no gaps, as is GStreamer's default for RGBA. */
    static final long BYTES = 4L * WIDTH * HEIGHT;

    /** White, yellow, cyan, green, magenta, red, blue, black: from bright to dark, as in television test cards. */
    private static final int[] BARS = {
        0xFFFFFFFF, 0xFFFF00FF, 0x00FFFFFF, 0x00FF00FF, 0xFF00FFFF, 0xFF0000FF, 0x0000FFFF, 0x000000FF
    };

    private static final int RAMP_FROM = HEIGHT * 3 / 4;

    /** GStreamer's RGBA is the byte order in memory on every processor. */
    private static final ValueLayout.OfInt RGBA = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);

    private TestCard() {}

    /**
     * Draws the picture.
     *
     * @param pixels memory of at least {@link #BYTES} bytes
     */
    static void draw(MemorySegment pixels) {
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                pixels.setAtIndex(RGBA, (long) y * WIDTH + x, y < RAMP_FROM ? bar(x) : grey(x));
            }
        }
    }

    private static int bar(int x) {
        return BARS[x * BARS.length / WIDTH];
    }

    private static int grey(int x) {
        int level = x * 0xFF / (WIDTH - 1);
        return level << 24 | level << 16 | level << 8 | 0xFF;
    }
}
