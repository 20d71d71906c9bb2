// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.service;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.linux.text.Printable;

/** Time within which the service manager expects a sign of life. */
final class Watchdog {
    private static final String MICROS = "WATCHDOG_USEC";

    private Watchdog() {}

    /**
     * {@return the time in the environment; empty without a time, or if it is for another process}
     *
     * @throws IllegalArgumentException for an invalid time
     */
    static Optional<Duration> of(Map<String, String> environment, long pid) {
        String micros = environment.getOrDefault(MICROS, "");
        String meant = environment.getOrDefault("WATCHDOG_PID", "");
        if (micros.isEmpty() || !meant.isEmpty() && !meant.equals(Long.toString(pid))) {
            return Optional.empty();
        }
        if (!micros.matches("[1-9]\\d{0,17}")) {
            throw new IllegalArgumentException("invalid " + MICROS + " = " + Printable.of(micros)
                    + " in the environment: expected a number of microseconds");
        }
        return Optional.of(Duration.of(Long.parseLong(micros), ChronoUnit.MICROS));
    }
}
