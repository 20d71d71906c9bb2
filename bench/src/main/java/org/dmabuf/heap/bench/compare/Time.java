// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Formatter and parser of durations with three digits. */
final class Time {
    private static final Pattern TEXT = Pattern.compile("([0-9.]+) (ns|us|ms)");

    private Time() {}

    static String text(double nanos) {
        double size = Math.abs(nanos);
        if (size < 999.5) {
            return digits(nanos) + " ns";
        }
        return size < 999_500 ? digits(nanos / 1e3) + " us" : digits(nanos / 1e6) + " ms";
    }

    /** {@return nanoseconds} */
    static double parse(String text) {
        Matcher time = TEXT.matcher(text);
        if (!time.matches()) {
            throw new IllegalArgumentException("expected a number with ns, us or ms, such as 100 us");
        }
        double number = Double.parseDouble(time.group(1));
        return switch (time.group(2)) {
            case "ns" -> number;
            case "us" -> number * 1e3;
            default -> number * 1e6;
        };
    }

    private static String digits(double value) {
        double size = Math.abs(value);
        return String.format(Locale.ROOT, size < 9.995 ? "%.2f" : size < 99.95 ? "%.1f" : "%.0f", value);
    }
}
