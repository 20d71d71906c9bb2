// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers as people type them. */
final class Numbers {
    private static final Pattern SIZE =
            Pattern.compile("(\\d+)\\s*(?:([KMGT])(?:i?B)?|B|bytes)?", Pattern.CASE_INSENSITIVE);
    private static final String UNITS = "KMGT";

    private Numbers() {}

    /**
     * Reads a size.
     *
     * @param text a number of bytes, or one with K, M, G or T for KiB, MiB, GiB or TiB
     * @return bytes
     * @throws IllegalArgumentException with a sentence
     */
    static long size(String text) {
        Matcher matcher = SIZE.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no size; give bytes, or a number with K, M, G or T, such as 64K or 8M");
        }
        try {
            long number = Long.parseLong(matcher.group(1));
            String unit = matcher.group(2);
            return unit == null
                    ? number
                    : Math.multiplyExact(number, 1L << 10 * (UNITS.indexOf(unit.toUpperCase(Locale.ROOT)) + 1));
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is more bytes than there can be", e);
        }
    }

    /**
     * Reads a whole number.
     *
     * @param what is counted, for the sentence
     * @param text decimal
     * @param lowest first value that will do
     * @param highest last value that will do
     * @return the number
     * @throws IllegalArgumentException with a sentence
     */
    static long whole(String what, String text, long lowest, long highest) {
        try {
            long number = Long.parseLong(text);
            if (number >= lowest && number <= highest) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(
                "'" + text + "' is no " + what + "; give a whole number from " + lowest + " to " + highest);
    }

    /**
     * Reads a mask of heap ids.
     *
     * @param text decimal, or hexadecimal with 0x, up to 64 bits
     * @return the mask
     * @throws IllegalArgumentException with a sentence
     */
    static long mask(String text) {
        try {
            return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no mask; give up to 64 bits, such as 0x5 for the heaps of id 0 and 2", e);
        }
    }
}
