// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A copy of the distributed gateway, with a process whose script consists of the lines that a test sends. */
final class GatewayProcess implements AutoCloseable {
    /** The start of a JVM takes thirty times as long in the guest as on the host, and longer on a busy host. */
    static final Duration PATIENCE = Duration.ofMinutes(5);

    private final Path home;
    private final Path log;
    private Process process;
    private BufferedReader out;
    private PrintWriter in;
    private int commands;

    private GatewayProcess(Path home, Path log) {
        this.home = home;
        this.log = log;
    }

    /** Copies the gateway into an existing folder. */
    static GatewayProcess in(Path folder) throws Exception {
        Path built = Path.of(System.getenv("CHECKOUT"), "distribution/target/gateway");
        Path home = folder.resolve("gateway");
        run("cp", "-r", built.toString(), home.toString());
        return new GatewayProcess(home, Files.createTempFile(folder, "gateway", ".log"));
    }

    static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).inheritIO().start();
        try {
            assertTrue(process.waitFor(PATIENCE), () -> String.join(" ", command) + " does not end");
            assertEquals(0, process.exitValue(), () -> String.join(" ", command));
        } finally {
            process.destroyForcibly();
        }
    }

    Path home() {
        return home;
    }

    /** @param prefix the words of a command that starts another command, such as setpriv */
    GatewayProcess start(String... prefix) throws IOException {
        List<String> words = new ArrayList<>(List.of(prefix));
        words.add(home.resolve("bin/gateway").toString());
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment()
                .put(
                        "JAVA_OPTS",
                        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.log.org.dmabuf=info");
        process = builder.redirectError(log.toFile()).start();
        out = process.inputReader(StandardCharsets.UTF_8);
        in = new PrintWriter(process.outputWriter(StandardCharsets.UTF_8), true);
        return this;
    }

    /** {@return the output of a command line} A command that does not end in time ends the gateway. */
    String run(String line) throws IOException {
        CompletableFuture<Void> answered = new CompletableFuture<>();
        answered.orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).exceptionally(_ -> {
            process.destroyForcibly();
            return null;
        });
        try {
            return answer(line);
        } finally {
            answered.complete(null);
        }
    }

    private String answer(String line) throws IOException {
        String end = "end of command " + ++commands;
        in.println(line);
        in.println("echo '" + end + "'");
        StringBuilder printed = new StringBuilder();
        for (String text = out.readLine(); !end.equals(text); text = out.readLine()) {
            if (text == null) {
                throw new AssertionError("the gateway ended at '" + line + "': " + log());
            }
            printed.append(text).append('\n');
        }
        return printed.toString();
    }

    /** Starts a command line without waiting for its end. */
    void begin(String line) {
        in.println(line);
    }

    /** {@return the number of the process, which is the gateway's JVM} */
    long pid() {
        return process.pid();
    }

    /** Kills the process by SIGKILL; another one can be started from the same home. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    String log() throws IOException {
        return Files.readString(log);
    }

    interface Text {
        String get() throws IOException;
    }

    /** Repeats a command until it prints a line that matches as a whole. */
    void await(String command, String expectedLine) throws Exception {
        await(expectedLine, () -> run(command));
    }

    /** Waits for a line of the log that matches as a whole. */
    void awaitLog(String expectedLine) throws Exception {
        await(expectedLine, this::log);
    }

    private void await(String expectedLine, Text text) throws Exception {
        Pattern expected = Pattern.compile("^" + expectedLine + "$", Pattern.MULTILINE);
        String last = "";
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < deadline) {
            last = text.get();
            if (expected.matcher(last).find()) {
                return;
            }
            Thread.sleep(100);
        }
        fail("no line like '" + expected + "' within " + PATIENCE.toSeconds() + " s in:\n" + last + "\nlog:\n" + log());
    }

    /** Ends the script, which must have succeeded. */
    void end() throws Exception {
        in.close();
        if (!process.waitFor(PATIENCE)) {
            fail("the gateway does not end: " + log());
        }
        assertEquals(0, process.exitValue(), log());
    }

    /** {@return the log of a gateway that ends by itself, because it cannot start} */
    String failure() throws Exception {
        if (!process.waitFor(PATIENCE)) {
            fail("the gateway does not end: " + log());
        }
        assertNotEquals(0, process.exitValue(), log());
        return log();
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroyForcibly();
        }
    }
}
