// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.BufferedReader;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScriptTest {
    private final List<String> ran = new ArrayList<>();

    @Test
    void lines_run_in_order() throws Failure {
        Script.run(lines("a\n\nb"), this::run, () -> false);
        assertEquals(List.of("a", "", "b"), ran);
    }

    @Test
    void first_failure_ends_it_and_names_its_line() {
        Failure failure = assertThrows(Failure.class, () -> Script.run(lines("a\nfail\nb\n"), this::run, () -> false));
        assertEquals("line 2: it failed", failure.getMessage());
        assertEquals(1, failure.status());
        assertEquals(List.of("a"), ran);
    }

    @Test
    void exit_ends_it() throws Failure {
        Script.run(lines("a\nexit\nb\n"), this::run, () -> ran.contains("exit"));
        assertEquals(List.of("a", "exit"), ran);
    }

    private void run(String line) throws Failure {
        if (line.equals("fail")) {
            throw Failure.of("it failed");
        }
        ran.add(line);
    }

    private static BufferedReader lines(String text) {
        return new BufferedReader(new StringReader(text));
    }
}
