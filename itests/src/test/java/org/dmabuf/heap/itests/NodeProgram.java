// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Running {@code node-client.c}, which knows only the kernel's ABI and allocates on command. */
class NodeProgram {
    static final long SECONDS = 60;

    private final Process process;
    private final Path errors;
    private final BufferedReader out;

    /**
     * Starts the program.
     *
     * @param command what starts it
     * @param errors file for its standard error
     */
    NodeProgram(List<String> command, Path errors) throws IOException {
        this.errors = errors;
        process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
        out = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Compiles the program as one static file. */
    static Path compile(Path file) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                "cc",
                "-static",
                "-O1",
                "-Wall",
                "-Werror",
                "-D_GNU_SOURCE",
                "-o",
                file.toString(),
                "src/test/c/node-client.c");
        assertEquals("", output(builder));
        return file;
    }

    /** {@return the output of a process that ends, errors included} */
    static String output(ProcessBuilder builder) throws Exception {
        Process process = builder.redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS));
        return text;
    }

    /** {@return whether a program is installed} */
    static boolean installed(String program) throws Exception {
        try {
            return output(new ProcessBuilder(program, "--version")) != null;
        } catch (IOException e) {
            return false;
        }
    }

    /** Waits until the program runs. */
    void awaitReady() throws IOException {
        assertEquals("ready", reply());
    }

    /** {@return the reply to a command} */
    String run(String command) throws IOException {
        send(command);
        return reply();
    }

    void send(String command) throws IOException {
        process.outputWriter(StandardCharsets.UTF_8)
                .append(command)
                .append('\n')
                .flush();
    }

    private String reply() throws IOException {
        String line = out.readLine();
        return line == null ? "end: " + errors() : line;
    }

    /** Waits for the end of a process that gets no further command. {@return its exit status} */
    int await() throws Exception {
        process.outputWriter(StandardCharsets.UTF_8).close();
        awaitEnd();
        return process.exitValue();
    }

    final void awaitEnd() throws InterruptedException {
        assertTrue(process.waitFor(SECONDS, TimeUnit.SECONDS));
    }

    String errors() throws IOException {
        return Files.readString(errors);
    }

    /** {@return the process that was started} */
    final Process process() {
        return process;
    }

    /** Ends the program if it has not ended. */
    void remove() throws Exception {
        process.destroyForcibly().waitFor();
    }
}
