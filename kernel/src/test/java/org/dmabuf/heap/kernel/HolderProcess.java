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

/** Another process that holds memory in one way only, of those that holder.py lists. */
public final class HolderProcess implements AutoCloseable {
    private final Process process;

    private HolderProcess(Process process) {
        this.process = process;
    }

    /**
     * Hands memory over.
     *
     * @param folder for the test's files
     * @param how it is held
     * @param memory stays the caller's
     * @param size its bytes
     * @return a process that holds it now, and nothing of it is left under way
     * @throws IOException when there is no such process
     */
    public static HolderProcess start(Path folder, String how, OwnedFd memory, long size) throws IOException {
        Path script = folder.resolve("holder.py");
        try (InputStream source = HolderProcess.class.getResourceAsStream("/holder.py")) {
            Files.write(script, source.readAllBytes());
        }
        try (FdListener listener = FdListener.bind(folder.resolve("holder"))) {
            HolderProcess holder = new HolderProcess(
                    new ProcessBuilder("python3", "-S", script.toString(), listener.path().toString(), how)
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
     * Sends a line, which holder.py expects of one that holds by a fence.
     *
     * @return what it answers
     * @throws IOException when it is gone
     */
    public String ask() throws IOException {
        process.outputWriter(StandardCharsets.UTF_8).append('\n').flush();
        return process.inputReader(StandardCharsets.UTF_8).readLine();
    }

    /**
     * Ends it.
     *
     * @param how {@code exit}, by itself, or {@code kill}, by SIGKILL
     * @throws IOException when it cannot be told
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
