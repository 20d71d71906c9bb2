// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocket;

/** A process that holds memory in exactly one of the ways that holder.py lists. */
public final class HolderProcess implements AutoCloseable {
    private final Process process;

    private HolderProcess(Process process) {
        this.process = process;
    }

    /**
     * Hands memory over to the process.
     *
     * @param folder for the test's files
     * @param how the way in which it is held
     * @param memory the memory, which the caller keeps
     * @param size the size of the memory in bytes
     * @return a process that holds it now, with no message in flight
     * @throws IOException when there is no such process
     */
    public static HolderProcess start(Path folder, String how, OwnedFd memory, long size) throws IOException {
        Path script = folder.resolve("holder.py");
        try (InputStream source = HolderProcess.class.getResourceAsStream("/holder.py")) {
            Files.write(script, source.readAllBytes());
        }
        try (FdListener listener = FdListener.bind(folder.resolve("holder"))) {
            HolderProcess holder = new HolderProcess(new ProcessBuilder(
                            "python3", "-S", script.toString(), listener.path().toString(), how)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start());
            boolean holds = false;
            try (FdSocket socket = listener.accept(Duration.ofSeconds(60), peer -> true)) {
                socket.send(memory, Long.toString(size));
                assertEquals(
                        "held",
                        holder.process.inputReader(StandardCharsets.UTF_8).readLine());
                holds = true;
                return holder;
            } finally {
                if (!holds) {
                    holder.close();
                }
            }
        }
    }

    /**
     * Sends a line, which holder.py expects for a process that holds by a fence.
     *
     * @return the answer of the process
     * @throws IOException when the process is gone
     */
    public String ask() throws IOException {
        process.outputWriter(StandardCharsets.UTF_8).append('\n').flush();
        return process.inputReader(StandardCharsets.UTF_8).readLine();
    }

    /**
     * Ends the process.
     *
     * @param how {@code exit}, by itself, or {@code kill}, by SIGKILL
     * @throws IOException when the message cannot be sent
     */
    public void end(String how) throws IOException {
        switch (how) {
            case "exit" -> process.getOutputStream().close();
            case "kill" -> process.destroyForcibly();
            default -> throw new IllegalArgumentException(how);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
