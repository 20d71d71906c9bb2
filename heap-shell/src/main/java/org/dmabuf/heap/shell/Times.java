// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.time.Duration;
import java.util.Locale;

/** Formatter of durations, each in a unit that suits its length. */
final class Times {
    private static final Duration SHORT = Duration.ofMillis(10);
    private static final Duration LONG = Duration.ofSeconds(60);

    private Times() {}

    /** {@return an age, in whole seconds or greater units} */
    static String age(Duration age) {
        return age.toDays() > 0
                ? age.toDays() + " d"
                : age.toHours() > 0
                        ? age.toHours() + " h"
                        : age.toMinutes() > 0 ? age.toMinutes() + " min" : age.toSeconds() + " s";
    }

    /** {@return a wait, in units down to microseconds} */
    static String wait(Duration wait) {
        if (wait.compareTo(SHORT) < 0) {
            return Math.ceilDiv(wait.toNanos(), 1000) + " us";
        }
        if (wait.compareTo(Duration.ofSeconds(1)) < 0) {
            return wait.toMillis() + " ms";
        }
        return wait.compareTo(LONG) < 0 ? String.format(Locale.ROOT, "%.1f s", wait.toMillis() / 1e3) : age(wait);
    }
}
