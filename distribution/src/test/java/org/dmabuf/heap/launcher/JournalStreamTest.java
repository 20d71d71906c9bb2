// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class JournalStreamTest {
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private final PrintStream journal = new JournalStream(written);

    private String lines() {
        return written.toString(StandardCharsets.UTF_8);
    }

    @Test
    void a_line_has_the_priority_of_its_level_in_front() {
        journal.println("ERROR org.dmabuf - lost");
        journal.println("WARN org.dmabuf - odd");
        journal.println("DEBUG org.dmabuf - step");
        assertEquals("<3>ERROR org.dmabuf - lost\n<4>WARN org.dmabuf - odd\n<7>DEBUG org.dmabuf - step\n", lines());
    }

    @Test
    void other_lines_stay() {
        journal.println("INFO org.dmabuf - up");
        journal.println("WARNING");
        journal.println("");
        journal.println((String) null);
        new IllegalStateException("one").printStackTrace(journal);
        assertEquals(
                List.of("INFO org.dmabuf - up", "WARNING", "", "null", "java.lang.IllegalStateException: one"),
                lines().lines().limit(5).toList());
    }

    @Test
    void only_the_journals_own_stream_gets_priorities() {
        PrintStream err = new PrintStream(written);
        String own = JournalStream.identity(Path.of("/proc/self/fd/2"));
        assertInstanceOf(JournalStream.class, JournalStream.of(err, own));
        assertSame(err, JournalStream.of(err, own + "1"));
        assertSame(err, JournalStream.of(err, null));
        assertEquals("", JournalStream.identity(Path.of("/proc/self/none")));
    }
}
