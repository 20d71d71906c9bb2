// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.socket.UserDatabase;

/** Agent of a test, with nodes in a folder, the gateway of the test, and C programs as clients. */
final class AgentFixture {
    static final long PATIENCE_MILLIS = 60_000;
    static final List<String> NODES = List.of("system", "ion", "simple");

    private final Path program;
    private final Path folder;
    private final int descriptorsBefore;
    private FakeGateway gateway;
    private Agent agent;

    /**
     * Starts an agent without a gateway.
     *
     * @param program client.c
     * @param folder an empty folder, whose files clients of other users read
     */
    AgentFixture(Path program, Path folder) throws Exception {
        this.program = program;
        this.folder = folder.toAbsolutePath();
        Files.setAttribute(folder, "unix:mode", 0755);
        for (String name : NODES) {
            Files.createFile(folder.resolve(name));
            Files.setAttribute(folder.resolve(name), "unix:mode", 0644);
        }
        Files.exists(Path.of("/proc/self/fd")); // opens what Java keeps open
        descriptorsBefore = descriptors();
        restart(Duration.ofSeconds(5), 100);
    }

    /** Starts another agent in place of the current one. */
    void restart(Duration wait, int listeners) throws Exception {
        if (agent != null) {
            agent.close();
        }
        agent = Agent.start(settings(wait, listeners));
    }

    private AgentSettings settings(Duration wait, int listeners) throws IOException {
        Map<String, Node> nodes = Stream.of(
                        new Node(folder.resolve("system").toString(), Abi.DMA_HEAP, "system", false),
                        new Node(folder.resolve("ion").toString(), Abi.ION, "", false),
                        new Node(folder.resolve("simple").toString(), Abi.SIMPLE, "cma", true))
                .collect(Collectors.toMap(Node::path, node -> node));
        return new AgentSettings(
                folder.resolve("gateway"),
                wait,
                Duration.ofSeconds(30),
                Optional.of(folder.resolve("run")),
                true,
                OptionalInt.empty(),
                Optional.of(folder.resolve("oci")),
                UserDatabase.ownUser(),
                listeners,
                listeners,
                4,
                nodes);
    }

    Agent agent() {
        return agent;
    }

    FakeGateway gateway() {
        return gateway;
    }

    Path folder() {
        return folder;
    }

    void startGateway() {
        startGateway(new CountDownLatch(0));
    }

    void startGateway(CountDownLatch latch) {
        gateway = new FakeGateway(folder.resolve("gateway"), latch);
    }

    /** {@return a client that runs one case of client.c} */
    ProcessBuilder client(String kind, String name) {
        String socket = folder.resolve(kind.equals("oci") ? "oci" : "run").toString();
        return new ProcessBuilder(program.toString(), socket, folder.toString(), kind, name)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
    }

    /** {@return the output of a client that ends well} */
    List<String> run(String name) throws Exception {
        return end(client("file", name).start());
    }

    static List<String> end(Process process) throws Exception {
        try (BufferedReader output = process.inputReader()) {
            List<String> lines = output.lines().toList();
            assertTrue(process.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
            assertEquals(0, process.exitValue(), lines::toString);
            return lines;
        } finally {
            process.destroyForcibly();
        }
    }

    /** {@return a line of output with an error} */
    static String errno(String name, Errno errno) {
        return name + "=-" + errno.number();
    }

    /** Lets a client go on that waits for a line. */
    static void enter(OutputStream input) throws IOException {
        input.write("\n".getBytes(StandardCharsets.UTF_8));
        input.flush();
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            Thread.sleep(5);
        }
    }

    /** Stops everything, and fails if a thread or a descriptor is left. */
    void stop() throws Exception {
        await("the clients end", () -> agent.clients() == 0);
        agent.close();
        if (gateway != null) {
            gateway.stop();
        }
        await("threads end", () -> threads().isEmpty());
        await("descriptors are closed", () -> descriptors() <= descriptorsBefore);
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("calls of") || name.startsWith("connection"))
                .toList();
    }

    private static int descriptors() {
        String[] entries = new File("/proc/self/fd").list();
        return entries == null ? Integer.MAX_VALUE : entries.length;
    }
}
