// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/**
 * Gateway with an agent, two processes that end and start independently. The agent has a node of the heap system and
 * one of the vendor's heap acme, whose jar is not dropped in yet.
 */
final class NodeGateway implements AutoCloseable {
    static final String SYSTEM = "/dev/dma_heap/system";
    static final String ACME = "/dev/dma_heap/acme";

    private static final long SECONDS = 60;

    private final Path folder;
    private final Path settings;
    private UnpackedGateway gateway;
    private Process agent;
    private Path agentLog;

    /**
     * Starts both.
     *
     * @param folder an empty folder for all files
     * @param allow clients of the heaps
     * @param quotas quotas of the clients
     */
    NodeGateway(Path folder, String allow, String quotas) throws Exception {
        this.folder = folder;
        gateway = UnpackedGateway.in(Files.createDirectory(folder.resolve("unpacked")));
        Path etc = gateway.home().resolve("etc");
        Files.write(
                etc.resolve("org.dmabuf.heap.native.cfg"),
                List.of("path = " + folder.resolve("native"), "allow = " + allow));
        Files.write(
                etc.resolve("org.dmabuf.heap.broker.cfg"),
                List.of("quota.client = " + quotas),
                StandardOpenOption.APPEND);
        settings = Files.write(
                folder.resolve("agent.properties"),
                List.of(
                        "gateway.socket = " + folder.resolve("native"),
                        "gateway.wait = 1",
                        "oci.socket = " + containers(),
                        "run.socket = " + launchers(),
                        "run.group = *",
                        "node." + SYSTEM + " = dma-heap system",
                        "node." + ACME + " = dma-heap acme"));
        start();
        startAgent();
    }

    /** {@return the agent's socket for container runtimes} */
    Path containers() {
        return folder.resolve("oci");
    }

    /** {@return the agent's socket for launchers} */
    Path launchers() {
        return folder.resolve("run");
    }

    /** {@return the gateway that was started last} */
    UnpackedGateway gateway() {
        return gateway;
    }

    private void start() throws Exception {
        gateway.startScript();
        gateway.awaitLog("native clients are served at " + folder.resolve("native"));
    }

    /** Starts another gateway with the same files, after the end of the previous one. */
    void startAnother() throws Exception {
        gateway = gateway.another();
        start();
    }

    void startAgent() throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(gateway.home().resolve("bin/dmaheap-agent").toString(), settings.toString());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        agentLog = Files.createTempFile(folder, "agent", ".log");
        agent = builder.redirectErrorStream(true)
                .redirectOutput(agentLog.toFile())
                .start();
        await("the agent", () -> agentLog().contains("the agent is up"));
    }

    void stopAgent() throws Exception {
        agent.destroy();
        assertTrue(agentLog(), agent.waitFor(SECONDS, TimeUnit.SECONDS));
    }

    /** {@return the log of the agent that was started last} */
    String agentLog() throws IOException {
        return Files.readString(agentLog);
    }

    void dropInVendorsHeap() throws Exception {
        Files.copy(gateway.home().resolve("examples/vendor-heap.jar"), gateway.dropped("vendor-heap.jar"));
        gateway.await("dmaheap:list", "acme .* serving .*");
    }

    void pullOutVendorsHeap() throws Exception {
        Files.delete(gateway.dropped("vendor-heap.jar"));
        gateway.awaitLog("vendor-heap.jar is removed");
    }

    void await(String expected, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                fail(expected + " is not there after " + SECONDS + " s; gateway: " + gateway.log() + "\nagent: "
                        + agentLog());
            }
            Thread.sleep(20);
        }
    }

    /** Waits until no client whose name begins so is charged. */
    void awaitNoCharge(String client) throws Exception {
        await("the end of the charge", () -> !gateway.run("dmaheap:dump --json").contains("\"" + client));
    }

    @Override
    public void close() {
        if (agent != null) {
            agent.destroyForcibly().onExit().join();
        }
        gateway.close();
    }
}
