// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs of {@link FailurePoints} in a separate process, with some of the points; {@code -Dfailure.points=all} takes all.
 */
class FailurePointsTest {
    private static final boolean ALL = "all".equals(System.getProperty("failure.points"));
    private static final long PATIENCE_MINUTES = ALL ? 60 : 8;

    @TempDir
    private Path folder;

    @Test
    void an_exhausted_java_heap_loses_nothing() throws Exception {
        run(List.of("-Xmx16m", "-Xms16m", "-XX:+UseSerialGC", "-XX:-UseTLAB"), "heap", ALL ? 16 : 208, ALL ? 400 : 24);
    }

    /** Interpreted, so that all frames have the same size. */
    @Test
    void an_exhausted_stack_loses_nothing() throws Exception {
        run(List.of("-Xint", "-Xmx64m"), "stack", ALL ? 1 : 2, ALL ? 200 : 50);
    }

    @Test
    void a_log_that_throws_loses_nothing() throws Exception {
        run(List.of("-Xmx64m"), "log", 1, 1);
    }

    private void run(List<String> options, String way, int step, int most) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of(
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                FailurePoints.class.getName(),
                way,
                Integer.toString(step),
                Integer.toString(most)));
        File output = folder.resolve(way).toFile();
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output)
                .start();
        try {
            boolean ended = process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES);
            String text = Files.readString(output.toPath(), StandardCharsets.UTF_8);
            assertTrue(ended, () -> "it hangs:\n" + text);
            assertEquals(0, process.exitValue(), text);
        } finally {
            process.destroyForcibly();
        }
    }
}
