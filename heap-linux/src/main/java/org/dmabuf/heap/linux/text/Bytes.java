// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.text;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.linux.libc.Libc;

/** Conversion of sizes in bytes: to whole pages, from configured text, and to text for messages. */
public final class Bytes {
    /** Bytes in a page of this machine: 4096, or 16384 or 65536 on some arm64 kernels. */
    public static final long PAGE = Libc.pageSize();

    private static final Pattern SIZE =
            Pattern.compile("([0-9]+)\\s*(?:([KMGT])(?:i?B)?|B|bytes)?", Pattern.CASE_INSENSITIVE);
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private Bytes() {}

    /**
     * Rounds up to whole pages.
     *
     * @param bytes 1 to {@code Long.MAX_VALUE - PAGE}
     * @return a multiple of {@link #PAGE}
     * @throws ArithmeticException for less than 1 byte, or when the multiple exceeds a long
     */
    public static long wholePages(long bytes) {
        if (bytes <= 0) {
            throw new ArithmeticException("invalid size = " + bytes + ": expected at least 1 byte");
        }
        return Math.addExact(bytes, PAGE - 1) & -PAGE;
    }

    /**
     * Parses a configured size.
     *
     * @param text a number of bytes, or one with K, M, G or T for KiB, MiB, GiB or TiB: {@code 256M}
     * @return bytes
     * @throws IllegalArgumentException for an invalid text, and for a size that exceeds a long
     */
    public static long parse(String text) {
        Matcher size = SIZE.matcher(text.strip());
        if (!size.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not a size: expected bytes, or a number with K, M, G or T, such as 256M");
        }
        try {
            String unit = size.group(2);
            int shift = unit == null ? 0 : 10 * ("KMGT".indexOf(unit.toUpperCase(Locale.ROOT)) + 1);
            return Math.multiplyExact(Long.parseLong(size.group(1)), 1L << shift);
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' exceeds the largest possible size", e);
        }
    }

    /**
     * Formats a size for a message.
     *
     * @param bytes at least 0
     * @return for instance {@code 512 bytes}, {@code 64 KiB}, {@code 11.9 MiB}
     */
    public static String text(long bytes) {
        if (bytes < 1024) {
            return bytes + (bytes == 1 ? " byte" : " bytes");
        }
        int unit = (63 - Long.numberOfLeadingZeros(bytes)) / 10 - 1;
        double value = bytes / Math.pow(1024, unit + 1);
        String number = value == Math.rint(value)
                ? Long.toString((long) value)
                : String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
        return number + " " + UNITS[unit];
    }
}
