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
    /** Size of the picture in bytes. Rows have no gaps, as is GStreamer's default. */
    static final long BYTES = 4L * WIDTH * HEIGHT;

    /** White, yellow, cyan, green, magenta, red, blue, black: from bright to dark, as in television test cards. */
    private static final int[] BARS = {
        0xFFFFFFFF, 0xFFFF00FF, 0x00FFFFFF, 0x00FF00FF, 0xFF00FFFF, 0xFF0000FF, 0x0000FFFF, 0x000000FF
    };

    private static final int RAMP_FROM = HEIGHT * 3 / 4;

    /** Order of a pixel's bytes in memory, which is the same on every processor, with GStreamer's names. */
    enum Pixels {
        /** For pngenc. */
        RGBA {
            @Override
            void set(MemorySegment pixels, long index, int rgba) {
                pixels.setAtIndex(IN_ORDER, index, rgba);
            }
        },
        /** For displays, which are for most drivers XRGB8888 in the order of a little-endian number. */
        BGRX {
            @Override
            void set(MemorySegment pixels, long index, int rgba) {
                pixels.setAtIndex(REVERSED, index, rgba >>> 8);
            }
        };

        private static final ValueLayout.OfInt IN_ORDER = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);
        private static final ValueLayout.OfInt REVERSED = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

        abstract void set(MemorySegment pixels, long index, int rgba);
    }

    private TestCard() {}

    /**
     * Draws the picture.
     *
     * @param memory at least {@link #BYTES} bytes
     * @param pixels order of the bytes
     */
    static void draw(MemorySegment memory, Pixels pixels) {
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                pixels.set(memory, (long) y * WIDTH + x, y < RAMP_FROM ? bar(x) : grey(x));
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
