// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Agent of the launcher's tests, which needs no gateway: see stub_agent.py. */
final class StubAgent implements AutoCloseable {
    /** Largest buffer in bytes. */
    static final int LIMIT = 1 << 20;

    private final Process process;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    /** @param nodes the nodes, as PATH=ABI */
    StubAgent(Path socket, String... nodes) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of("python3", "-S", "src/test/c/stub_agent.py", socket.toString(), Integer.toString(LIMIT)));
        command.addAll(List.of(nodes));
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Thread.ofPlatform().daemon().start(() -> process.inputReader().lines().forEach(lines::add));
        assertTrue(line().equals("ready"));
    }

    /** {@return the next line that the agent printed} */
    String line() throws InterruptedException {
        String line = lines.poll(20, TimeUnit.SECONDS);
        assertTrue(line != null, "the agent prints a line");
        return line;
    }

    /** {@return the lines that were not read} */
    List<String> rest() {
        List<String> rest = new ArrayList<>();
        lines.drainTo(rest);
        return rest;
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().orTimeout(20, TimeUnit.SECONDS).join();
    }
}
