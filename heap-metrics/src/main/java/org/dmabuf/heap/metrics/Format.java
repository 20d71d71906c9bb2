// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.util.List;
import java.util.Locale;

/** Text format of metrics. */
enum Format {
    /** The format of OpenMetrics 1.0. */
    OPEN_METRICS("application/openmetrics-text; version=1.0.0; charset=utf-8", "application/openmetrics-text"),
    /** The older text format of Prometheus, which other programs read as well. */
    PROMETHEUS("text/plain; version=0.0.4; charset=utf-8", "text/plain");

    private final String contentType;
    private final String mediaType;

    Format(String contentType, String mediaType) {
        this.contentType = contentType;
        this.mediaType = mediaType;
    }

    String contentType() {
        return contentType;
    }

    /**
     * Chooses the format of an answer.
     *
     * @param accept values of the header Accept
     * @return OpenMetrics if the client names it and does not prefer the older format
     */
    static Format accepted(List<String> accept) {
        double open = weight(accept, OPEN_METRICS.mediaType);
        return open > 0 && open >= weight(accept, PROMETHEUS.mediaType) ? OPEN_METRICS : PROMETHEUS;
    }

    private static double weight(List<String> accept, String mediaType) {
        return accept.stream()
                .flatMap(value -> List.of(value.toLowerCase(Locale.ROOT).split(",")).stream())
                .map(String::strip)
                .filter(range -> range.split(";", 2)[0].strip().equals(mediaType))
                .mapToDouble(Format::quality)
                .max()
                .orElse(0);
    }

    private static double quality(String range) {
        for (String parameter : range.split(";")) {
            if (parameter.strip().startsWith("q=")) {
                try {
                    return Double.parseDouble(parameter.strip().substring(2));
                } catch (NumberFormatException e) {
                    return 0;
                }
            }
        }
        return 1;
    }
}
