// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.dmabuf.heap.OwnedFd;

/** Another process that holds memory in exactly one way: see holder.py. */
public final class HolderProcess implements AutoCloseable {
    private final Process process;

    private HolderProcess(Process process) {
        this.process = process;
    }

    /** {@return a process that holds the memory now, with no message in flight} */
    public static HolderProcess start(Path folder, String how, OwnedFd memory, long size) throws IOException {
        Path script = folder.resolve("holder.py");
        try (var source = HolderProcess.class.getResourceAsStream("/holder.py")) {
            Files.write(script, source.readAllBytes());
        }
        try (FdListener listener = FdListener.bind(folder.resolve("holder"))) {
            Process process = new ProcessBuilder(
                            "python3", "-S", script.toString(), listener.path().toString(), how)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            HolderProcess holder = new HolderProcess(process);
            boolean holds = false;
            try (FdSocket socket = listener.accept(Duration.ofSeconds(30), peer -> true)) {
                socket.send(memory, Long.toString(size));
                assertEquals("held", output(process).readLine());
                holds = true;
                return holder;
            } finally {
                if (!holds) {
                    holder.close();
                }
            }
        }
    }

    private static BufferedReader output(Process process) {
        return process.inputReader(StandardCharsets.UTF_8);
    }

    /** Lets the process end by itself. */
    public void exit() throws IOException {
        process.getOutputStream().close();
    }

    /** Kills the process by SIGKILL. */
    public void kill() {
        process.destroyForcibly();
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
