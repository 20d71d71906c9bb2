// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.hostile;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A process that connects to a socket and misuses the descriptors that it receives, or sends invalid ones. The script
 * beside this class defines the misuses. It ends at the end of its standard input.
 */
final class HostileProcess implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 30;

    private final Process process;
    private final BufferedWriter orders;

    /** Starts the process and waits until it accepts orders. The seed determines its actions. */
    HostileProcess(long seed) throws IOException {
        process = new ProcessBuilder("python3", "-c", script(), Long.toString(seed))
                .redirectError(Redirect.INHERIT)
                .start();
        orders = process.outputWriter(StandardCharsets.UTF_8);
        try (InputStream ready = process.getInputStream()) {
            if (ready.read() < 0) {
                close();
                throw new IOException("python3 ended before it took orders");
            }
        }
    }

    private static String script() throws IOException {
        try (InputStream script = HostileProcess.class.getResourceAsStream("peer.py")) {
            return new String(script.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Orders it to connect, receive one descriptor and misuse it. */
    void take(Path socket) throws IOException {
        order("take " + socket);
    }

    /** Orders it to connect and send a message. */
    void give(Path socket) throws IOException {
        order("give " + socket);
    }

    private void order(String line) throws IOException {
        orders.write(line + "\n");
        orders.flush();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Kills it by SIGKILL, whatever it holds. */
    @Override
    public void close() {
        process.destroyForcibly();
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("process " + process.pid() + " does not die of SIGKILL");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            orders.close();
        } catch (IOException e) {
            // The pipe has no reader: the process is dead.
        }
    }
}
