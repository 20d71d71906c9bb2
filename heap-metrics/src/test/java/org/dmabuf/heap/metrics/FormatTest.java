// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class FormatTest {
    @Test
    void a_scraper_that_names_openmetrics_gets_it() {
        // Prometheus 2.42
        assertEquals(
                Format.OPEN_METRICS,
                Format.accepted(List.of("application/openmetrics-text;version=1.0.0,"
                        + "application/openmetrics-text;version=0.0.1;q=0.75,"
                        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")));
    }

    @Test
    void any_other_client_gets_the_older_format() {
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of()));
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of("*/*")));
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of("text/html,application/xml;q=0.9")));
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of(";", ",", "")));
    }

    @Test
    void the_preference_of_the_client_decides() {
        assertEquals(
                Format.PROMETHEUS, Format.accepted(List.of("application/openmetrics-text;q=0.4", "text/plain;q=0.5")));
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of("application/openmetrics-text;q=0")));
        assertEquals(Format.PROMETHEUS, Format.accepted(List.of("application/openmetrics-text;q=none")));
        assertEquals(
                Format.OPEN_METRICS, Format.accepted(List.of("Application/OpenMetrics-Text ; q=0.5, text/plain;q=.5")));
    }
}
