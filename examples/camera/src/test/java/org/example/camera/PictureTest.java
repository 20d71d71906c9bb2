// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of pictures: white, black, and a red that eight bits of YUV can only approximate. */
class PictureTest {
    @TempDir
    private Path folder;

    private int[] written(VideoFormat format, int... bytes) throws IOException {
        byte[] frame = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            frame[i] = (byte) bytes[i];
        }
        Path file = folder.resolve("frame.png");
        Picture.write(frame, format, file);
        return ImageIO.read(file.toFile()).getRGB(0, 0, format.width(), format.height(), null, 0, format.width());
    }

    private static VideoFormat format(String code, int width, int height, int line) {
        int number = code.charAt(0) | code.charAt(1) << 8 | code.charAt(2) << 16 | code.charAt(3) << 24;
        return new VideoFormat(width, height, number, line, List.of(line * height));
    }

    private static void assertColours(int[] expected, int[] picture) {
        assertEquals(expected.length, picture.length);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(Integer.toHexString(0xFF000000 | expected[i]), Integer.toHexString(picture[i]));
        }
    }

    @Test
    void a_line_of_yuyv_can_be_longer_than_its_pixels() throws IOException {
        int[] picture = written(format("YUYV", 2, 2, 6), 235, 128, 16, 128, 9, 9, 82, 90, 82, 240, 9, 9);
        assertColours(new int[] {0xFFFFFF, 0x000000, 0xFF0100, 0xFF0100}, picture);
    }

    @Test
    void xr24_has_blue_first() throws IOException {
        assertColours(new int[] {0x030201}, written(format("XR24", 1, 1, 4), 1, 2, 3, 4));
    }

    @Test
    void another_format_is_refused_with_the_remedy() {
        IOException refusal =
                assertThrows(IOException.class, () -> written(format("NV12", 2, 2, 2), 0, 0, 0, 0, 128, 128));
        assertEquals(
                "writing " + folder.resolve("frame.png")
                        + " failed: the format is 2x2 NV12; set the camera to YUYV or XR24",
                refusal.getMessage());
        assertFalse(Files.exists(folder.resolve("frame.png")));
    }
}
