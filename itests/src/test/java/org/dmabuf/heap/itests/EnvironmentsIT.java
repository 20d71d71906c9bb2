// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assume.assumeFalse;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized;
import org.junit.runners.Parameterized.Parameters;

/** The environments of {@code itests/environments}, one test for each; its script names those that are skipped. */
@RunWith(Parameterized.class)
public class EnvironmentsIT {
    private static final Path ENVIRONMENTS = Path.of("environments");

    /** Far more than an environment takes. */
    private static final long LIMIT_SECONDS = 300;

    private final String name;

    public EnvironmentsIT(String name) {
        this.name = name;
    }

    @Parameters(name = "{0}")
    public static List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(ENVIRONMENTS)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(file -> file.endsWith(".env"))
                    .map(file -> file.substring(0, file.length() - ".env".length()))
                    .sorted()
                    .toList();
        }
    }

    @Test
    public void the_gateway_works_or_names_the_remedy() throws Exception {
        ProcessBuilder builder = new ProcessBuilder(ENVIRONMENTS.resolve("run").toString(), name)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true);
        builder.environment()
                .put(
                        "GATEWAY",
                        Path.of(System.getProperty("gateway")).normalize().toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process run = builder.start();
        CompletableFuture.delayedExecutor(LIMIT_SECONDS, TimeUnit.SECONDS).execute(() -> end(run));
        try (BufferedReader reader = run.inputReader(StandardCharsets.UTF_8)) {
            String lines = String.join("\n", reader.lines().toList());
            assertEquals(lines, 0, run.waitFor());
            assumeFalse(lines, lines.startsWith("skipped"));
        }
    }

    /** Ends the environment of a script that still runs: the environment then cleans up, and the script reports it. */
    private static void end(Process run) {
        run.descendants().forEach(ProcessHandle::destroy);
        run.descendants()
                .filter(process -> process.children().findAny().isEmpty())
                .forEach(ProcessHandle::destroyForcibly);
    }
}
