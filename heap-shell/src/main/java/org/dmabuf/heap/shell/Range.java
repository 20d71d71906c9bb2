// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.dmabuf.heap.linux.text.Bytes;

/**
 * Part of a buffer, as options of a command select it.
 *
 * @param offset offset of its first byte
 * @param length its length in bytes, at least one
 */
record Range(long offset, long length) {
    static final Option OFFSET = Option.valued('o', "offset", "BYTES", "first byte, such as 64K or 0x1000");
    static final Option LENGTH = Option.valued('l', "length", "BYTES", "number of bytes");

    /**
     * Reads the options.
     *
     * @param size size of the buffer in bytes
     * @param usual default length, limited by the end of the buffer
     * @throws IllegalArgumentException with a message for the user, if the range is not inside the buffer
     */
    static Range of(Line line, long size, long usual) {
        long offset = line.value(OFFSET)
                .map(text -> bytes("offset", text, 0, size - 1))
                .orElse(0L);
        long left = size - offset;
        long length =
                line.value(LENGTH).map(text -> bytes("length", text, 1, left)).orElse(Math.min(usual, left));
        return new Range(offset, length);
    }

    private static long bytes(String option, String text, long lowest, long highest) {
        long bytes = parse(text);
        if (bytes < lowest || bytes > highest) {
            throw new IllegalArgumentException("invalid --" + option + " = " + text + ": expected " + lowest + " to "
                    + highest + ", the end of the buffer");
        }
        return bytes;
    }

    private static long parse(String text) {
        if (!text.startsWith("0x")) {
            return Bytes.parse(text);
        }
        try {
            return Long.parseLong(text.substring(2), 16);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "invalid size = '" + text + "': expected 0x and up to 15 hexadecimal digits", e);
        }
    }
}
