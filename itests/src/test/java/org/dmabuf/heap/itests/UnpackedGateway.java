// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The unpacked archive of the distribution, with processes that run from it with only a JDK. */
final class UnpackedGateway implements AutoCloseable {
    static final Path ARCHIVE = Path.of(System.getProperty("gateway.archive")).normalize();

    private static final long SECONDS = 120;

    private final Path home;
    private final Path log;
    private Process process;
    private BufferedReader out;
    private PrintWriter in;
    private int commands;

    private UnpackedGateway(Path home, Path log) {
        this.home = home;
        this.log = log;
    }

    /** Unpacks the archive into an existing folder. */
    static UnpackedGateway in(Path folder) throws Exception {
        Process tar = new ProcessBuilder("tar", "-xzf", ARCHIVE.toString(), "-C", folder.toString())
                .inheritIO()
                .start();
        assertEquals("exit status of tar", 0, tar.waitFor());
        try (Stream<Path> top = Files.list(folder)) {
            List<Path> folders = top.toList();
            assertEquals("top folders of the archive: " + folders, 1, folders.size());
            return new UnpackedGateway(folders.getFirst(), Files.createTempFile(folder, "gateway", ".log"));
        }
    }

    /** {@return the same files, for another process} */
    UnpackedGateway another() throws IOException {
        return new UnpackedGateway(home, Files.createTempFile(home.getParent(), "gateway", ".log"));
    }

    long pid() {
        return process.pid();
    }

    Path home() {
        return home;
    }

    /** {@return a file in the folder for dropped-in jars} */
    Path dropped(String name) {
        return home.resolve("deploy").resolve(name);
    }

    /** {@return a file in the folder of the gateway's own jars} */
    Path bundle(String name) {
        return home.resolve("bundles").resolve(name);
    }

    /** Starts a gateway whose script consists of the lines that {@link #run} sends. */
    UnpackedGateway startScript() throws IOException {
        ProcessBuilder builder = builder();
        builder.environment().put("JAVA_OPTS", "-Dorg.slf4j.simpleLogger.log.org.dmabuf=info");
        process = builder.redirectError(log.toFile()).start();
        out = process.inputReader(StandardCharsets.UTF_8);
        in = new PrintWriter(process.outputWriter(StandardCharsets.UTF_8), true);
        return this;
    }

    /** Starts a gateway without a terminal, as a service. */
    Process startDaemon(String... options) throws IOException {
        List<String> arguments = new ArrayList<>(List.of(options));
        arguments.add("--daemon");
        process = builder(arguments.toArray(String[]::new))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true)
                .start();
        return process;
    }

    /** Exit status and output, errors included, of a process that has ended. */
    record Ended(int status, String output) {}

    /** {@return the output of one command, errors included; the exit status must be 0} */
    String runOnce(String command) throws Exception {
        Ended ended = runToEnd(Map.of(), command);
        assertEquals(ended.output(), 0, ended.status());
        return ended.output();
    }

    /** Runs a process of this gateway to its end, without input. */
    Ended runToEnd(Map<String, String> environment, String... arguments) throws Exception {
        ProcessBuilder builder =
                builder(arguments).redirectInput(Path.of("/dev/null").toFile()).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process once = builder.start();
        try (BufferedReader reader = once.inputReader(StandardCharsets.UTF_8)) {
            String text = String.join("\n", reader.lines().toList());
            return new Ended(once.waitFor(), text);
        }
    }

    ProcessBuilder builder(String... arguments) {
        List<String> words = new ArrayList<>(List.of(home.resolve("bin/gateway").toString()));
        words.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        return builder;
    }

    /** {@return the output of a command line of the script} */
    String run(String line) throws IOException {
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

    /** Repeats a command until it prints a line that matches as a whole. */
    void await(String command, String expectedLine) throws Exception {
        Pattern pattern = Pattern.compile("^" + expectedLine + "$", Pattern.MULTILINE);
        await(pattern, () -> run(command));
    }

    /** Waits for a line of the log that ends with a text. */
    void awaitLog(String expected) throws Exception {
        await(Pattern.compile(".* - " + Pattern.quote(expected)), this::log);
    }

    /** Waits for a line of the log that contains a text. */
    void awaitLogLine(String expected) throws Exception {
        await(Pattern.compile(Pattern.quote(expected)), this::log);
    }

    /** Waits for a warning about a file in the log; the end of the line must match a regular expression. */
    void awaitWarning(String file, String expected) throws Exception {
        await(Pattern.compile("WARN .* - " + Pattern.quote(file) + ":? ?" + expected), this::log);
    }

    private interface Text {
        String get() throws IOException;
    }

    private void await(Pattern expected, Text text) throws Exception {
        String last = "";
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (System.nanoTime() < deadline) {
            last = text.get();
            if (expected.matcher(last).find()) {
                return;
            }
            Thread.sleep(20);
        }
        fail("no line like '" + expected + "' within " + SECONDS + " s in:\n" + last + "\nlog:\n" + log());
    }

    String log() throws IOException {
        return Files.readString(log);
    }

    /** {@return warnings and errors in the log that name a file} */
    List<String> warnings(String file) throws IOException {
        return log().lines()
                .filter(line -> !line.startsWith("INFO") && line.contains(file))
                .toList();
    }

    /** {@return files that processes of this gateway have left in its cache} */
    List<Path> caches() throws IOException {
        try (Stream<Path> folders = Files.list(home.resolve("cache"))) {
            return folders.toList();
        }
    }

    /** Ends the script, which must have succeeded. */
    void endScript() throws Exception {
        in.close();
        assertTrue("the gateway does not end: " + log(), process.waitFor(SECONDS, TimeUnit.SECONDS));
        assertEquals(log(), 0, process.exitValue());
        assertEquals(List.of(), caches());
    }

    /** {@return the exit status after SIGTERM} */
    int terminate() throws Exception {
        process.destroy();
        if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
            throw new TimeoutException("SIGTERM does not end the gateway: " + log());
        }
        return process.exitValue();
    }

    /** Ends the gateway by SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroyForcibly();
        }
    }
}
