// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Texts of numbers from 0 to {@link Long#MAX_VALUE}, and of foreign text in messages. */
final class Numbers {
    private static final Pattern NUMBER = Pattern.compile("(?:0x([0-9a-f]{1,16})|([0-9]{1,19})([KMGT]?))");
    private static final String UNITS = "KMGT";
    private static final int UNIT_BITS = 10;
    private static final int HEX = 16;
    private static final int SHOWN = 80;

    private Numbers() {}

    /**
     * Parses a number.
     *
     * @throws IllegalArgumentException without a message, for another text or a number above 63 bits
     */
    static long parse(String text) {
        Matcher matcher = NUMBER.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException();
        }
        if (matcher.group(1) != null) {
            long number = Long.parseUnsignedLong(matcher.group(1), HEX);
            if (number < 0) {
                throw new IllegalArgumentException();
            }
            return number;
        }
        long number = Long.parseLong(matcher.group(2));
        int shift =
                UNIT_BITS * (UNITS.indexOf(matcher.group(3)) + (matcher.group(3).isEmpty() ? 0 : 1));
        if (number > Long.MAX_VALUE >> shift) {
            throw new IllegalArgumentException();
        }
        return number << shift;
    }

    /** {@return the number with the largest unit that divides it} */
    static String text(long number) {
        if (number == 0) {
            return "0";
        }
        int units = Math.min(Long.numberOfTrailingZeros(number) / UNIT_BITS, UNITS.length());
        return (number >> units * UNIT_BITS) + (units == 0 ? "" : UNITS.substring(units - 1, units));
    }

    static String hex(long number) {
        return "0x" + Long.toHexString(number);
    }

    /** Replaces control characters, and shortens a text that would fill a log. */
    static String printable(String text) {
        String shown = text.substring(0, Math.min(text.length(), SHOWN)).replaceAll("\\p{Cntrl}", "?");
        return text.length() <= SHOWN ? shown : shown + "…";
    }
}
