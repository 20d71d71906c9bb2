// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.dmabuf.heap.DurationHistogram;

/**
 * Text of metrics in one format. A family is written as a whole, before the next one begins. Not thread-safe.
 */
final class Exposition {
    private static final List<String> UNITS = List.of("bytes", "seconds", "ratio");
    private static final List<String> BOUNDS =
            DurationHistogram.bounds().stream().map(Exposition::bound).toList();

    private final StringBuilder text = new StringBuilder();
    private final Format format;

    Exposition(Format format) {
        this.format = format;
    }

    /** Family of metrics that has one type. */
    final class Family {
        private final String name;

        private Family(String name) {
            this.name = name;
        }

        Family add(Labels labels, long value) {
            return add(labels, Long.toString(value));
        }

        Family add(Labels labels, double value) {
            return add(labels, Double.toString(value));
        }

        Family add(Labels labels, Duration value) {
            return add(labels, seconds(value));
        }

        private Family add(Labels labels, String value) {
            text.append(name).append(labels).append(' ').append(value).append('\n');
            return this;
        }

        Family add(Labels labels, DurationHistogram histogram) {
            long below = 0;
            for (int i = 0; i <= BOUNDS.size(); i++) {
                below += histogram.counts().get(i);
                String bound = i < BOUNDS.size() ? BOUNDS.get(i) : "+Inf";
                sample("_bucket", labels.and("le", bound), Long.toString(below));
            }
            sample("_sum", labels, seconds(histogram.total()));
            sample("_count", labels, Long.toString(below));
            return this;
        }

        private void sample(String suffix, Labels labels, String value) {
            text.append(name)
                    .append(suffix)
                    .append(labels)
                    .append(' ')
                    .append(value)
                    .append('\n');
        }
    }

    /** Begins a family of figures that rise and fall. */
    Family gauge(String name, String help) {
        return begin(name, name, "gauge", help);
    }

    /**
     * Begins a family of figures that only rise.
     *
     * @param name with the ending {@code _total}, which belongs to the samples only in OpenMetrics
     */
    Family counter(String name, String help) {
        String plain = name.substring(0, name.length() - "_total".length());
        return begin(name, format == Format.OPEN_METRICS ? plain : name, "counter", help);
    }

    /** Begins a family of distributions of times. */
    Family histogram(String name, String help) {
        return begin(name, name, "histogram", help);
    }

    private Family begin(String name, String described, String type, String help) {
        text.append("# HELP ").append(described).append(' ').append(help).append('\n');
        text.append("# TYPE ").append(described).append(' ').append(type).append('\n');
        String unit = described.substring(described.lastIndexOf('_') + 1);
        if (format == Format.OPEN_METRICS && UNITS.contains(unit)) {
            text.append("# UNIT ").append(described).append(' ').append(unit).append('\n');
        }
        return new Family(name);
    }

    /** {@return the complete text} */
    String end() {
        if (format == Format.OPEN_METRICS) {
            text.append("# EOF\n");
        }
        return text.toString();
    }

    private static String seconds(Duration time) {
        return BigDecimal.valueOf(time.getSeconds())
                .add(BigDecimal.valueOf(time.getNano(), 9))
                .stripTrailingZeros()
                .toPlainString();
    }

    /** {@return a bound in the form that OpenMetrics prescribes: 1e-06, 0.001, 1.0} */
    private static String bound(Duration bound) {
        double seconds = bound.toNanos() / 1e9;
        if (seconds < 1e-4) {
            return String.format(Locale.ROOT, "%.0e", seconds);
        }
        String plain = seconds(bound);
        return plain.contains(".") ? plain : plain + ".0";
    }
}
