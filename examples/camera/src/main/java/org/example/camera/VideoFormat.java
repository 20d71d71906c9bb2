// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Format of a camera's frames.
 *
 * @param width pixels
 * @param height pixels
 * @param code the pixel format's four characters
 * @param line bytes of a line in the first plane
 * @param planes bytes of each plane
 */
record VideoFormat(int width, int height, int code, int line, List<Integer> planes) {
    /** {@return the four characters, such as {@code YUYV}} */
    String name() {
        byte[] letters = {(byte) code, (byte) (code >> 8), (byte) (code >> 16), (byte) (code >> 24)};
        return new String(letters, StandardCharsets.ISO_8859_1).strip();
    }

    @Override
    public String toString() {
        return width + "x" + height + " " + name() + (planes.size() > 1 ? " in " + planes.size() + " planes" : "");
    }
}
