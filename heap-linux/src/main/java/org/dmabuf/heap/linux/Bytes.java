// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.Locale;

/** Sizes as the machine and as people count them. */
public final class Bytes {
    /** Bytes in a page of this machine: 4096, or 16384 or 65536 on some arm64 kernels. */
    public static final long PAGE = LinuxSyscalls.pageSize();

    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private Bytes() {}

    /**
     * Rounds up to whole pages.
     *
     * @param bytes 1 to {@code Long.MAX_VALUE - PAGE}
     * @return a multiple of {@link #PAGE}
     * @throws ArithmeticException when there is no such multiple
     */
    public static long wholePages(long bytes) {
        if (bytes <= 0) {
            throw new ArithmeticException(bytes + " bytes");
        }
        return Math.addExact(bytes, PAGE - 1) & -PAGE;
    }

    /**
     * A size for a person.
     *
     * @param bytes at least 0
     * @return for instance {@code 512 bytes}, {@code 64 KiB}, {@code 11.9 MiB}
     */
    public static String text(long bytes) {
        if (bytes < 1024) {
            return bytes + " bytes";
        }
        int unit = (63 - Long.numberOfLeadingZeros(bytes)) / 10 - 1;
        double value = bytes / Math.pow(1024, unit + 1);
        String number = value == Math.rint(value)
                ? Long.toString((long) value)
                : String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
        return number + " " + UNITS[unit];
    }
}
