// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the agent with real listeners, C programs as clients, and a gateway of the test. */
class AgentTest {
    private static final long PATIENCE_MILLIS = 60_000;

    @TempDir
    static Path shared;

    private static Path program;

    @TempDir
    Path folder;

    private Agent agent;
    private FakeGateway gateway;
    private int descriptorsBefore;

    @BeforeAll
    static void compile() throws Exception {
        Files.setAttribute(shared, "unix:mode", 0755);
        program = CProgram.compile("client", shared);
    }

    @BeforeEach
    void start() throws Exception {
        Files.setAttribute(folder, "unix:mode", 0755);
        for (String name : List.of("system", "ion", "simple")) {
            Files.createFile(folder.resolve(name));
            Files.setAttribute(folder.resolve(name), "unix:mode", 0644);
        }
        descriptorsBefore = descriptors();
        agent = Agent.start(settings(4, 5), UserDatabase.local());
    }

    @AfterEach
    void nothing_is_left() throws Exception {
        await("the clients end", () -> agent.clients() == 0);
        agent.close();
        if (gateway != null) {
            gateway.close();
        }
        await("threads end", () -> threads().isEmpty());
        await("descriptors are closed", () -> descriptors() == descriptorsBefore);
    }

    private AgentSettings settings(int calls, int wait) {
        Path absolute = folder.toAbsolutePath();
        Map<String, Node> nodes = Stream.of(
                        new Node(absolute.resolve("system").toString(), Abi.DMA_HEAP, "system"),
                        new Node(absolute.resolve("ion").toString(), Abi.ION, ""),
                        new Node(absolute.resolve("simple").toString(), Abi.SIMPLE, "cma"))
                .collect(Collectors.toMap(Node::path, node -> node));
        return new AgentSettings(
                folder.resolve("gateway"),
                Duration.ofSeconds(wait),
                Duration.ofSeconds(30),
                Optional.of(folder.resolve("run")),
                "*",
                Optional.empty(),
                0,
                100,
                100,
                calls,
                nodes);
    }

    private void gateway() {
        gateway = new FakeGateway(folder.resolve("gateway"));
    }

    private Process begin(String kind, String name) throws IOException {
        return new ProcessBuilder(
                        program.toString(), folder.resolve("run").toString(), folder.toString(), kind, name)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private List<String> run(String name) throws Exception {
        return end(begin("file", name));
    }

    private static List<String> end(Process process) throws Exception {
        try (BufferedReader output = process.inputReader()) {
            List<String> lines = output.lines().toList();
            assertTrue(process.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
            assertEquals(0, process.exitValue(), lines::toString);
            return lines;
        } finally {
            process.destroyForcibly();
        }
    }

    private static String errno(String name, Errno errno) {
        return name + "=-" + errno.number();
    }

    @Test
    void a_program_allocates_maps_and_synchronizes_a_buffer() throws Exception {
        gateway();
        assertEquals(
                List.of(
                        "descriptor=1",
                        "cloexec=1",
                        "size=12288",
                        "zeroed=0",
                        "not cloexec=0",
                        "rounded=4096",
                        errno("writable map of a read-only descriptor", Errno.EACCES),
                        "read=1",
                        "sync=0",
                        "sync end=0",
                        "sync of the read-only one=0",
                        "name=0"),
                run("alloc"));
    }

    @Test
    void every_error_is_that_of_the_kernels_heaps() throws Exception {
        gateway();
        Map<String, String> lines = values(run("errors"));
        Map<String, Integer> expected = new java.util.TreeMap<>();
        for (String name : List.of(
                "length 0",
                "wrapping length",
                "last wrapping length",
                "descriptor not 0",
                "unknown fd_flags",
                "heap_flags",
                "sync with an unknown bit",
                "sync of nothing",
                "sync end of nothing",
                "name of 32")) {
            expected.put(name, -Errno.EINVAL.number());
        }
        expected.put("huge length", -Errno.ENOMEM.number());
        expected.put("half of all", -Errno.ENOMEM.number());
        for (String name :
                List.of("sync at address 8", "name at address 8", "name past the end of memory")) {
            expected.put(name, -Errno.EFAULT.number());
        }
        expected.put("name of 31", 0);
        expected.put("name at the end of memory", 0);
        expected.put("closed descriptor", -Errno.EBADF.number());
        for (String name : List.of(
                "unknown number",
                "ion number on a heap's node",
                "sync file of a memfd",
                "unknown number on a buffer",
                "another file",
                "sync of a pipe")) {
            expected.put(name, -Errno.ENOTTY.number());
        }
        lines.remove("sync of an own memfd"); // the client has the gateway's user here
        expected.forEach((name, value) -> assertEquals(String.valueOf(value), lines.remove(name), name));
        assertEquals(Map.of(), lines);
    }

    private static Map<String, String> values(List<String> lines) {
        return lines.stream()
                .map(line -> line.split("=", 2))
                .collect(Collectors.toMap(words -> words[0], words -> words[1], (_, last) -> last));
    }

    @Test
    void shorter_and_longer_structs_are_accepted_as_by_the_kernel() throws Exception {
        gateway();
        assertEquals(
                List.of(
                        "longer=0",
                        "longer has a descriptor=1",
                        "tail=1",
                        "shorter=0",
                        "shorter has a descriptor=1",
                        "rest is kept=1",
                        "read only by the kernel=0",
                        "descriptor is not written=0",
                        errno("not read by the kernel", Errno.EINVAL),
                        errno("size 0", Errno.EINVAL)),
                run("structs"));
    }

    @Test
    void an_invalid_pointer_is_EFAULT_and_leaves_no_descriptor() throws Exception {
        gateway();
        List<String> lines = run("pointers");
        assertEquals("left=0", lines.getLast());
        for (String line : lines.subList(0, lines.size() - 1)) {
            assertEquals("-" + Errno.EFAULT.number(), line.split("=")[1], line);
        }
        assertEquals(List.of(), gateway.requests, "requests to the gateway");
    }

    @Test
    void an_ion_client_allocates_by_mask_and_lists_the_heaps() throws Exception {
        gateway();
        assertEquals(
                List.of(
                        "alloc=0",
                        "cloexec=1",
                        "zeroed=0",
                        errno("mask 0", Errno.ENODEV),
                        errno("mask of no heap", Errno.ENODEV),
                        errno("length 0", Errno.EINVAL),
                        errno("larger struct", Errno.EINVAL),
                        errno("smaller struct", Errno.ENOTTY),
                        "query=0",
                        "count=2",
                        "fill=0",
                        "heap=cma type 4 id 4",
                        "heap=system type 0 id 0",
                        "untouched=1",
                        "fill one=0",
                        "one=1",
                        errno("fill none", Errno.EINVAL),
                        errno("reserved0", Errno.EINVAL),
                        errno("reserved2", Errno.EINVAL),
                        errno("unwritable heaps", Errno.EFAULT),
                        errno("query at null", Errno.EFAULT)),
                run("ion"));
    }

    @Test
    void a_client_of_the_simple_allocator_gets_EINVAL_for_every_failure() throws Exception {
        gateway();
        assertEquals(
                List.of(
                        "alloc=0",
                        "cloexec=1",
                        "zeroed=0",
                        errno("version 1", Errno.EINVAL),
                        errno("length 0", Errno.EINVAL),
                        errno("huge length", Errno.EINVAL),
                        errno("other size", Errno.ENOTTY)),
                run("simple"));
    }

    @Test
    void a_program_of_32_bits_has_the_same_structs_under_another_number() throws Exception {
        gateway();
        List<String> lines = run("compat");
        if (!lines.equals(List.of(errno("alloc", Errno.ENOSYS)))) { // no such programs here
            assertEquals(
                    List.of("alloc=0", "cloexec=1", "sync=0", "name of 32 bits=0", errno("null", Errno.EFAULT)), lines);
        }
    }

    @Test
    void a_refusal_of_the_gateway_becomes_an_error_that_the_kernels_heaps_have() throws Exception {
        gateway();
        List<Errno> expected = List.of(
                Errno.EACCES,
                Errno.ENOMEM,
                Errno.ENODEV,
                Errno.EINVAL,
                Errno.ENOMEM,
                Errno.ENOMEM,
                Errno.ENOMEM,
                Errno.ENOMEM);
        assertEquals(expected.stream().map(errno -> errno("status", errno)).toList(), run("statuses"));
    }

    @Test
    void a_struct_that_changes_meanwhile_is_read_once() throws Exception {
        gateway();
        assertEquals(List.of("answered=1", "wrong=0", "descriptors are those of successes=1"), run("flip"));
    }

    @Test
    void memory_that_goes_away_meanwhile_is_EFAULT() throws Exception {
        gateway();
        assertEquals(List.of("wrong=0"), run("unmap"));
    }

    @Test
    void a_storm_of_signals_leaves_no_descriptor_in_the_client() throws Exception {
        gateway();
        assertEquals(List.of("answered=1", "wrong=0", "left=0"), run("storm"));
    }

    @Test
    void threads_share_one_listener() throws Exception {
        gateway();
        assertEquals(List.of("failures=0"), run("threads"));
    }

    @Test
    void killed_processes_leave_nothing_and_others_are_served() throws Exception {
        gateway();
        assertEquals(List.of("afterwards=1"), run("killed"));
    }

    @Test
    void a_client_at_its_limit_of_descriptors_gets_EMFILE() throws Exception {
        gateway();
        assertEquals(List.of(errno("error", Errno.EMFILE), "some=1"), run("limit"));
    }

    @Test
    void a_slow_gateway_delays_no_synchronization() throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        gateway = new FakeGateway(folder.resolve("gateway"), latch);
        Process client = begin("file", "slow");
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            assertEquals("blocking=20", output.readLine());
            await("the limit of calls is reached", () -> gateway.waiting.get() == 4);
            enter(input);
            assertEquals("synchronized=100", output.readLine());
            assertEquals(errno("another file", Errno.ENOTTY), output.readLine());
            assertEquals(4, gateway.waiting.get(), "calls in the gateway");
            latch.countDown();
            enter(input);
            assertEquals("joined=20", output.readLine());
            assertTrue(client.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            client.destroyForcibly();
        }
    }

    @Test
    void a_client_that_is_killed_while_the_gateway_is_slow_leaves_nothing() throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        gateway = new FakeGateway(folder.resolve("gateway"), latch);
        Process client = begin("file", "slow");
        try (BufferedReader output = client.inputReader()) {
            assertEquals("blocking=20", output.readLine());
            await("the limit of calls is reached", () -> gateway.waiting.get() == 4);
        } finally {
            client.destroyForcibly().waitFor();
        }
        await("the client ends, although the gateway does not answer", () -> agent.clients() == 0);
    }

    @Test
    void an_allocation_waits_for_a_gateway_that_starts_and_survives_its_restart() throws Exception {
        Process client = begin("file", "twice");
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            await("the client is attached", () -> agent.clients() == 1);
            gateway();
            assertEquals("descriptor=1", output.readLine());
            gateway.close();
            gateway();
            enter(input);
            assertEquals("descriptor again=1", output.readLine());
            assertTrue(client.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            client.destroyForcibly();
        }
    }

    @Test
    void without_a_gateway_an_allocation_is_ENODEV_after_the_wait() throws Exception {
        agent.close();
        agent = Agent.start(settings(4, 0), UserDatabase.local());
        assertEquals(List.of(errno("error", Errno.ENODEV), "some=0"), run("limit"));
    }

    @Test
    void when_the_agent_ends_its_nodes_answer_ENOSYS_and_everything_else_goes_on() throws Exception {
        gateway();
        Process client = begin("file", "stay");
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            assertEquals("descriptor=1", output.readLine());
            agent.close();
            enter(input);
            assertEquals(errno("after the end of the agent", Errno.ENOSYS), output.readLine());
            assertEquals("other calls=1", output.readLine());
            assertTrue(client.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            client.destroyForcibly();
        }
    }

    @Test
    void a_second_listener_in_a_client_is_EBUSY() throws Exception {
        gateway();
        assertEquals(List.of(errno("second listener", Errno.EBUSY)), run("nested"));
    }

    private static void enter(OutputStream input) throws IOException {
        input.write("\n".getBytes(StandardCharsets.UTF_8));
        input.flush();
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            Thread.sleep(5);
        }
    }

    private static List<String> threads() {
        List<String> names = new ArrayList<>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("calls of") || thread.getName().startsWith("connection")) {
                names.add(thread.getName());
            }
        }
        return names;
    }

    private static int descriptors() {
        String[] entries = new java.io.File("/proc/self/fd").list();
        return entries == null ? -1 : entries.length;
    }
}
