// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.osgi.service.log.FormatterLogger;
import org.osgi.service.log.Logger;
import org.slf4j.event.Level;

class OsgiLoggerTest {
    private final List<String> lines = new ArrayList<>();
    private final Logger warnings = OsgiLogger.create(new RecordingLogger(lines, Level.WARN), Logger.class);
    private final Logger all = OsgiLogger.create(new RecordingLogger(lines, Level.TRACE), Logger.class);

    @Test
    void arguments_fill_the_braces_however_many_there_are() {
        all.info("none");
        all.warn("one {}", 1);
        all.error("two {} {}", 1, 2);
        all.debug("three {} {} {}", 1, 2, 3);
        assertEquals(List.of("INFO none", "WARN one 1", "ERROR two 1 2", "DEBUG three 1 2 3"), lines);
    }

    @Test
    void printf_style_logger_is_available() {
        FormatterLogger printf = OsgiLogger.create(new RecordingLogger(lines, Level.INFO), FormatterLogger.class);
        printf.info("%d MiB {}", 12);
        assertEquals(List.of("INFO 12 MiB {}"), lines);
    }

    @Test
    void exception_is_a_reason_in_the_line_and_a_stack_trace_from_level_info_down() {
        Exception thrown = new IllegalStateException("the region does not fit");
        warnings.error("no heap {}", "camera", thrown);
        all.error("no heap {}", "camera", thrown);
        assertEquals(
                List.of("ERROR no heap camera: the region does not fit", "ERROR no heap camera and a stack trace"),
                lines);
    }

    @Test
    void message_below_the_level_is_not_formatted() throws Exception {
        assertTrue(warnings.isWarnEnabled());
        assertFalse(warnings.isInfoEnabled());
        warnings.info("not printed");
        warnings.info(logger -> lines.add("not called"));
        warnings.warn(logger -> lines.add("called"));
        assertEquals(List.of("called"), lines);
    }
}
