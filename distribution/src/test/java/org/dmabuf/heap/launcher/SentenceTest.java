// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.InvocationTargetException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NotLinkException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

class SentenceTest {
    @Test
    void message_alone_is_shown() {
        assertEquals("no heap 'x'", Sentence.of(new IllegalArgumentException("no heap 'x'")));
    }

    @Test
    void wrapping_exceptions_are_skipped() {
        Throwable thrown = new IllegalStateException("heap is full");
        assertEquals("heap is full", Sentence.of(new InvocationTargetException(new ExecutionException(thrown))));
    }

    @Test
    void cause_of_a_written_message_is_left_out() {
        Throwable thrown = new IllegalStateException("cannot map 4096 bytes", new RuntimeException("ENOMEM from mmap"));
        assertEquals("cannot map 4096 bytes", Sentence.of(thrown));
    }

    @Test
    void short_message_gets_the_kind_of_exception() {
        assertEquals("NoClassDefFoundError: org/acme/Gone", Sentence.of(new NoClassDefFoundError("org/acme/Gone")));
        assertEquals("NullPointerException", Sentence.of(new NullPointerException()));
    }

    @Test
    void message_that_is_a_path_gets_the_kind_of_exception() {
        assertEquals("permission denied: /a path/x.jar", Sentence.of(new AccessDeniedException("/a path/x.jar")));
        assertEquals("NotLinkException: /a path/x", Sentence.of(new NotLinkException("/a path/x")));
        assertEquals("/a path/x: full", Sentence.of(new FileSystemException("/a path/x", null, "full")));
    }

    @Test
    void names_in_a_message_cannot_forge_a_line_or_drive_the_terminal() {
        assertEquals(
                "permission denied: /a\\u000aWARN forged\\u001b[2J",
                Sentence.of(new AccessDeniedException("/a\nWARN forged\u001b[2J")));
        assertEquals("no \\u202ebundle", Sentence.of(new IllegalStateException("no \u202ebundle")));
    }

    @Test
    void exception_that_throws_from_its_own_methods_is_shown_by_its_kind() {
        assertEquals("Rude", Sentence.of(new Rude()));
    }

    private static final class Rude extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        public String getMessage() {
            throw new IllegalStateException("no message");
        }
    }

    @Test
    void a_thread_that_the_kernel_refuses_has_a_remedy_instead_of_a_guess() {
        assertEquals(
                "unable to create native thread; raise the limit of threads (TasksMax= in the unit, pids.max of the"
                        + " cgroup, ulimit -u)",
                Sentence.of(new OutOfMemoryError(
                        "unable to create native thread: possibly out of memory or process/resource limits reached")));
        assertEquals("Java heap space", Sentence.of(new OutOfMemoryError("Java heap space")));
    }

    @Test
    void several_lines_become_one() {
        assertEquals("first second", Sentence.of(new IllegalStateException("first\n  second\n")));
    }
}
