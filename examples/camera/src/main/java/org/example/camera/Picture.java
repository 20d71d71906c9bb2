// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/** Conversion of a frame to PNG. YUYV has the colours of BT.601 with limited range; XR24 is blue, green, red, a gap. */
final class Picture {
    private Picture() {}

    static void write(byte[] frame, VideoFormat format, Path file) throws IOException {
        if (!format.name().equals("YUYV") && !format.name().equals("XR24")) {
            throw new IOException(
                    "writing " + file + " failed: the format is " + format + "; set the camera to YUYV or XR24");
        }
        boolean isYuyv = format.name().equals("YUYV");
        BufferedImage picture = new BufferedImage(format.width(), format.height(), BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < format.height(); y++) {
            for (int x = 0; x < format.width(); x++) {
                int line = y * format.line();
                picture.setRGB(x, y, isYuyv ? yuyv(frame, line + 4 * (x / 2), x % 2) : xr24(frame, line + 4 * x));
            }
        }
        ImageIO.write(picture, "png", file.toFile());
    }

    private static int xr24(byte[] frame, int at) {
        return Byte.toUnsignedInt(frame[at + 2]) << 16
                | Byte.toUnsignedInt(frame[at + 1]) << 8
                | Byte.toUnsignedInt(frame[at]);
    }

    /** @param pair place of two pixels: Y of the first, U, Y of the second, V */
    private static int yuyv(byte[] frame, int pair, int pixel) {
        int luma = 298 * (Byte.toUnsignedInt(frame[pair + 2 * pixel]) - 16);
        int u = Byte.toUnsignedInt(frame[pair + 1]) - 128;
        int v = Byte.toUnsignedInt(frame[pair + 3]) - 128;
        return level(luma + 409 * v) << 16 | level(luma - 100 * u - 208 * v) << 8 | level(luma + 516 * u);
    }

    private static int level(int scaled) {
        return Math.clamp((scaled + 128) >> 8, 0, 255);
    }
}
