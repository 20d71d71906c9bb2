// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Test of the arguments in the log. */
class QuietLogTest {
    private final QuietLog log = new QuietLog(QuietLogTest.class);

    private record Named(String name) {
        @Override
        public String toString() {
            return name;
        }
    }

    @Test
    void control_characters_of_every_argument_are_escaped() {
        assertEquals(
                List.of("a\\u001b[2J b\\u000ac [d\\u000de] 7 null"),
                RecordedLog.of(
                        QuietLogTest.class,
                        () -> log.warn(
                                "{} {} {} {} {}",
                                new Named("a\u001b[2J"),
                                "b\nc",
                                List.of(new Named("d\re")),
                                7,
                                null)));
    }

    @Test
    void a_throwable_after_the_arguments_is_the_cause() {
        RecordedLog.clear();
        log.error("{} failed", new Named("it"), new IllegalStateException("why"));
        assertEquals(
                List.of("ERROR it failed <java.lang.IllegalStateException: why>"),
                RecordedLog.lines().stream()
                        .filter(line -> line.contains("it failed"))
                        .toList());
    }
}
