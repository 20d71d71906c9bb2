// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.dmabuf.heap.agent.AgentFixture.PATIENCE_MILLIS;
import static org.dmabuf.heap.agent.AgentFixture.await;
import static org.dmabuf.heap.agent.AgentFixture.enter;
import static org.dmabuf.heap.agent.AgentFixture.errno;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the agent with real listeners, C programs as clients, and a gateway of the test. */
class AgentTest {
    @TempDir
    static Path shared;

    private static Path program;

    @TempDir
    Path folder;

    private AgentFixture fixture;

    @BeforeAll
    static void compile() throws Exception {
        Files.setAttribute(shared, "unix:mode", 0755);
        program = CProgram.compile("client", shared);
    }

    @BeforeEach
    void start() throws Exception {
        fixture = new AgentFixture(program, folder);
    }

    @AfterEach
    void nothing_is_left() throws Exception {
        fixture.stop();
    }

    @Test
    void a_program_allocates_maps_and_synchronizes_a_buffer() throws Exception {
        fixture.startGateway();
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
                fixture.run("alloc"));
    }

    @Test
    void every_error_is_that_of_the_kernels_heaps() throws Exception {
        fixture.startGateway();
        Map<String, String> lines = values(fixture.run("errors"));
        Map<String, Integer> expected = new TreeMap<>();
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
        for (String name : List.of("sync at address 8", "name at address 8", "name past the end of memory")) {
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
        fixture.startGateway();
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
                fixture.run("structs"));
    }

    @Test
    void an_invalid_pointer_is_EFAULT_and_leaves_no_descriptor() throws Exception {
        fixture.startGateway();
        List<String> lines = fixture.run("pointers");
        assertEquals("left=0", lines.getLast());
        for (String line : lines.subList(0, lines.size() - 1)) {
            assertEquals("-" + Errno.EFAULT.number(), line.split("=")[1], line);
        }
        assertEquals(List.of(), fixture.gateway().requests, "requests to the gateway");
    }

    @Test
    void an_ion_client_allocates_by_mask_and_lists_the_heaps() throws Exception {
        fixture.startGateway();
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
                fixture.run("ion"));
    }

    @Test
    void a_client_of_the_simple_allocator_gets_EINVAL_for_every_failure() throws Exception {
        fixture.startGateway();
        assertEquals(
                List.of(
                        "alloc=0",
                        "cloexec=1",
                        "zeroed=0",
                        errno("version 1", Errno.EINVAL),
                        errno("length 0", Errno.EINVAL),
                        errno("huge length", Errno.EINVAL),
                        errno("other size", Errno.ENOTTY)),
                fixture.run("simple"));
        assertEquals(
                List.of("contiguous"), fixture.gateway().requests.getFirst().emulations(), "accepted by this node");
    }

    @Test
    void a_node_accepts_no_emulation_unless_its_setting_says_so() throws Exception {
        fixture.startGateway();
        fixture.run("alloc");
        assertEquals(List.of(), fixture.gateway().requests.getFirst().emulations());
    }

    @Test
    void a_program_of_32_bits_has_the_same_structs_under_another_number() throws Exception {
        fixture.startGateway();
        List<String> lines = fixture.run("compat");
        if (!lines.equals(List.of("programs of 32 bits=0"))) {
            assertEquals(
                    List.of(
                            "programs of 32 bits=1",
                            "alloc=0",
                            "cloexec=1",
                            "sync=0",
                            "name of 32 bits=0",
                            errno("null", Errno.EFAULT)),
                    lines);
        }
    }

    @Test
    void a_refusal_of_the_gateway_becomes_an_error_that_the_kernels_heaps_have() throws Exception {
        fixture.startGateway();
        List<Errno> expected = List.of(
                Errno.EACCES,
                Errno.ENOMEM,
                Errno.ENODEV,
                Errno.EINVAL,
                Errno.ENOMEM,
                Errno.ENOMEM,
                Errno.ENOMEM,
                Errno.ENOMEM);
        assertEquals(expected.stream().map(errno -> errno("status", errno)).toList(), fixture.run("statuses"));
    }

    @Test
    void a_struct_that_changes_meanwhile_is_read_once() throws Exception {
        fixture.startGateway();
        assertEquals(List.of("answered=1", "wrong=0", "descriptors are those of successes=1"), fixture.run("flip"));
    }

    @Test
    void memory_that_goes_away_meanwhile_is_EFAULT() throws Exception {
        fixture.startGateway();
        assertEquals(List.of("wrong=0"), fixture.run("unmap"));
    }

    @Test
    void a_storm_of_signals_leaves_no_descriptor_in_the_client() throws Exception {
        fixture.startGateway();
        assertEquals(List.of("answered=1", "wrong=0", "left=0"), fixture.run("storm"));
    }

    @Test
    void threads_share_one_listener() throws Exception {
        fixture.startGateway();
        assertEquals(List.of("failures=0"), fixture.run("threads"));
    }

    @Test
    void allocations_wait_their_turn_if_the_gateway_limits_the_connections() throws Exception {
        fixture.startGateway();
        fixture.gateway().mostConnections = 2;
        assertEquals(List.of("failures=0"), fixture.run("threads"));
        assertTrue(fixture.gateway().refused.get() > 0, "connections above the limit");
    }

    @Test
    void killed_processes_leave_nothing_and_others_are_served() throws Exception {
        fixture.startGateway();
        assertEquals(List.of("afterwards=1"), fixture.run("killed"));
    }

    @Test
    void a_client_at_its_limit_of_descriptors_gets_EMFILE() throws Exception {
        fixture.startGateway();
        assertEquals(List.of(errno("error", Errno.EMFILE), "some=1"), fixture.run("limit"));
    }

    @Test
    void a_program_of_one_thread_occupies_one_thread_of_the_agent() throws Exception {
        fixture.startGateway();
        Process first = fixture.client("file", "stay").start();
        try (BufferedReader outputOfFirst = first.inputReader()) {
            assertEquals("descriptor=1", outputOfFirst.readLine());
            Process second = fixture.client("file", "stay").start();
            try (BufferedReader output = second.inputReader()) {
                assertEquals("descriptor=1", output.readLine()); // by the connection that the first one made
                assertEquals(1, threadsFor(second));
            } finally {
                second.destroyForcibly();
            }
        } finally {
            first.destroyForcibly();
        }
    }

    private static long threadsFor(Process client) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().matches("calls of .* \\(process " + client.pid() + "\\D.*"))
                .count();
    }

    @Test
    void a_slow_gateway_delays_no_synchronization() throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        fixture.startGateway(latch);
        Process client = fixture.client("file", "slow").start();
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            assertEquals("blocking=20", output.readLine());
            await(
                    "the limit of calls is reached",
                    () -> fixture.gateway().waiting.get() == 4);
            enter(input);
            assertEquals("synchronized=100", output.readLine());
            assertEquals(errno("another file", Errno.ENOTTY), output.readLine());
            assertEquals(4, fixture.gateway().waiting.get(), "calls in the gateway");
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
        fixture.startGateway(latch);
        Process client = fixture.client("file", "slow").start();
        try (BufferedReader output = client.inputReader()) {
            assertEquals("blocking=20", output.readLine());
            await(
                    "the limit of calls is reached",
                    () -> fixture.gateway().waiting.get() == 4);
        } finally {
            client.destroyForcibly().waitFor();
        }
        await(
                "the client ends, although the gateway does not answer",
                () -> fixture.agent().clients() == 0);
    }

    @Test
    void an_allocation_waits_for_a_gateway_that_starts_and_survives_its_restart() throws Exception {
        Process client = fixture.client("file", "twice").start();
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            await("the client is attached", () -> fixture.agent().clients() == 1);
            fixture.startGateway();
            assertEquals("descriptor=1", output.readLine());
            fixture.gateway().stop();
            fixture.startGateway();
            enter(input);
            assertEquals("descriptor again=1", output.readLine());
            assertTrue(client.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            client.destroyForcibly();
        }
    }

    @Test
    void without_a_gateway_an_allocation_is_ENODEV_after_the_wait() throws Exception {
        fixture.restart(Duration.ZERO, 100);
        assertEquals(List.of(errno("error", Errno.ENODEV), "some=0"), fixture.run("limit"));
    }

    @Test
    void when_the_agent_ends_its_nodes_answer_ENOSYS_and_everything_else_goes_on() throws Exception {
        fixture.startGateway();
        Process client = fixture.client("file", "stay").start();
        try (BufferedReader output = client.inputReader();
                OutputStream input = client.getOutputStream()) {
            assertEquals("descriptor=1", output.readLine());
            fixture.agent().close();
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
        fixture.startGateway();
        assertEquals(List.of(errno("second listener", Errno.EBUSY)), fixture.run("nested"));
    }
}
