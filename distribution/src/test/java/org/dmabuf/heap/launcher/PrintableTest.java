// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.osgi.service.log.Logger;
import org.slf4j.event.Level;

class PrintableTest {
    private static final String FORGED = "a\nWARN forged\r\t\u001b[2J\u0085\u009b\u202e\u2066\u2028\u2029\u200f";
    private static final String ESCAPED =
            "a\\u000aWARN forged\\u000d\\u0009\\u001b[2J" + "\\u0085\\u009b\\u202e\\u2066\\u2028\\u2029\\u200f";

    @Test
    void text_that_prints_stays_as_it_is() {
        for (String text : List.of("", "a\\b 'c' {}", "Gr\u00fc\u00dfe \u20ac", "\ud83d\udcf7")) {
            assertSame(text, Printable.of(text));
        }
        assertEquals("null", Printable.of((String) null));
    }

    @Test
    void characters_that_end_a_line_move_the_cursor_or_change_direction_are_escaped() {
        assertEquals(ESCAPED, Printable.of(FORGED));
        assertEquals(ESCAPED, Printable.of(ESCAPED));
        assertEquals("\\ud800x \\udb40\\udc41", Printable.of("\ud800x \udb40\udc41"));
    }

    @Test
    void stack_trace_keeps_its_frames_and_escapes_its_messages() {
        Exception thrown = new IllegalStateException(FORGED, new RuntimeException(FORGED));
        thrown.addSuppressed(new Exception(FORGED));
        thrown.getCause().initCause(thrown);
        StringWriter printed = new StringWriter();
        Printable.of(thrown).printStackTrace(new PrintWriter(printed));
        String text = printed.toString();
        assertTrue(text.startsWith("java.lang.IllegalStateException: " + ESCAPED), text);
        assertTrue(text.contains("Caused by: java.lang.RuntimeException: " + ESCAPED), text);
        assertTrue(text.contains("Suppressed: java.lang.Exception: " + ESCAPED), text);
        assertTrue(text.contains("PrintableTest.stack_trace_keeps"), text);
        assertFalse(text.lines().anyMatch(line -> line.startsWith("WARN")), text);
    }

    @Test
    void every_way_into_the_log_is_escaped() {
        List<String> lines = new ArrayList<>();
        RecordingLogger to = new RecordingLogger(lines, Level.WARN);
        LogLine.write(to, Level.WARN, FORGED);
        LogLine.write(to, Level.WARN, FORGED, new IllegalStateException("not \u001bhere"));
        OsgiLogger.create(to, Logger.class).warn("{}", FORGED);
        assertEquals(List.of("WARN " + ESCAPED, "WARN " + ESCAPED + ": not \\u001bhere", "WARN " + ESCAPED), lines);
    }

    @Test
    void sentence_that_ends_the_program_is_escaped() {
        assertEquals("no folder " + ESCAPED, Failure.of("no folder " + FORGED).getMessage());
        assertEquals("unknown option '-" + ESCAPED + "'; see --help", usage("-" + FORGED));
    }

    private static String usage(String option) {
        try {
            return CommandLine.parse(List.of(option)).toString();
        } catch (Failure e) {
            return e.getMessage();
        }
    }
}
