// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.device.v4l2;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Present format of a queue.
 *
 * @param width pixels
 * @param height pixels
 * @param code the pixel format's four characters
 * @param field order of the lines, as enum v4l2_field
 * @param planes bytes of the buffer of each plane
 */
record VideoFormat(long width, long height, int code, int field, List<Long> planes) {
    private static final int BIG_ENDIAN = 1 << 31;

    /** {@return bytes of a buffer that can be the buffer of any plane} */
    long size() {
        return planes.stream().mapToLong(Long::longValue).max().orElse(0);
    }

    /** {@return the format for people, such as {@code 640x480 YUYV}} */
    @Override
    public String toString() {
        int letters = code & ~BIG_ENDIAN;
        byte[] bytes = {(byte) letters, (byte) (letters >> 8), (byte) (letters >> 16), (byte) (letters >> 24)};
        String name =
                Printable.of(new String(bytes, StandardCharsets.ISO_8859_1)).strip();
        return width + "x" + height + " " + name + (code < 0 ? "-BE" : "")
                + (planes.size() > 1 ? " in " + planes.size() + " planes" : "");
    }
}
