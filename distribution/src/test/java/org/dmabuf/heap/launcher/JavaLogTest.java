// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class JavaLogTest {
    private final List<String> lines = new ArrayList<>();
    private final System.Logger warnings = new JavaLog.Log(new RecordingLogger(lines, org.slf4j.event.Level.WARN));
    private final System.Logger all = new JavaLog.Log(new RecordingLogger(lines, org.slf4j.event.Level.TRACE));

    @Test
    void java_finds_it() {
        assertInstanceOf(JavaLog.class, System.LoggerFinder.getLoggerFinder());
    }

    @Test
    void messages_and_formats_become_lines_of_their_level() {
        all.log(Level.INFO, "none, and {0} as it stands");
        all.log(Level.WARNING, "heap ''{0}'' has {1}", "camera", "8 MiB");
        all.log(Level.ERROR, () -> "made when wanted");
        all.log(Level.DEBUG, "debug");
        all.log(Level.TRACE, "trace");
        all.log(Level.OFF, "never");
        all.log(Level.INFO, "no {format", 1);
        assertEquals(
                List.of(
                        "INFO none, and {0} as it stands",
                        "WARN heap 'camera' has 8 MiB",
                        "ERROR made when wanted",
                        "DEBUG debug",
                        "TRACE trace",
                        "INFO no {format"),
                lines);
    }

    @Test
    void exception_is_a_reason_in_the_line_and_a_stack_trace_from_level_info_down() {
        Exception thrown = new IllegalStateException("the kernel refused");
        warnings.log(Level.ERROR, "zeroing failed", thrown);
        all.log(Level.ERROR, "zeroing failed", thrown);
        assertEquals(
                List.of("ERROR zeroing failed: the kernel refused", "ERROR zeroing failed and a stack trace"), lines);
    }

    @Test
    void message_below_the_level_is_not_built() {
        assertTrue(warnings.isLoggable(Level.WARNING));
        assertFalse(warnings.isLoggable(Level.INFO));
        assertFalse(all.isLoggable(Level.OFF));
        warnings.log(Level.INFO, () -> {
            throw new AssertionError("made");
        });
        assertEquals(List.of(), lines);
    }
}
