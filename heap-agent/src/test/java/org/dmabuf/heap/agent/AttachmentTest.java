// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.dmabuf.heap.agent.AgentFixture.await;
import static org.dmabuf.heap.agent.AgentFixture.enter;
import static org.dmabuf.heap.agent.AgentFixture.errno;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Test of the ways in which a listener comes to the agent, and of the identities of the clients. */
class AttachmentTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final String STATE = "{\"ociVersion\":\"1.0.2\",\"fds\":[\"seccompFd\"],\"pid\":%d,"
            + "\"metadata\":\"camera-app\",\"state\":{\"ociVersion\":\"1.0.2\",\"id\":\"c1\",\"status\":\"creating\","
            + "\"pid\":1,\"bundle\":\"/b\",\"annotations\":{\"a\":\"\\\"metadata\\\":\\\"root\\\"\"}}}";

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
        fixture.startGateway();
    }

    @AfterEach
    void nothing_is_left() throws Exception {
        fixture.stop();
    }

    private static void requireRoot(String what) throws Exception {
        boolean root = UserDatabase.ownUser() == 0;
        if (!root) {
            System.out.println("skipped: only root can " + what + "; run the tests as root");
        }
        assumeTrue(root, what);
    }

    private void makeDevices() throws Exception {
        requireRoot("make device nodes");
        for (String name : AgentFixture.NODES) {
            Files.delete(fixture.folder().resolve(name));
            Process mknod = new ProcessBuilder(
                            "mknod", "-m", "666", fixture.folder().resolve(name).toString(), "c", "1", "3")
                    .inheritIO()
                    .start();
            assertEquals(0, mknod.waitFor());
        }
    }

    @Test
    void a_launched_program_is_the_user_that_connected() throws Exception {
        requireRoot("change the user");
        ProcessBuilder client = fixture.client("file", "errors");
        client.environment().put("CLIENT_UID", "12345");
        List<String> lines = AgentFixture.end(client.start());
        assertEquals("uid", fixture.gateway().hellos.getFirst().kind());
        assertEquals("12345", fixture.gateway().hellos.getFirst().name());
        assertTrue(lines.contains(errno("sync of an own memfd", Errno.ENOTTY)), lines::toString);
        assertTrue(lines.contains("name of 31=0"), "the gateway's memfd is a buffer: " + lines);
    }

    @Test
    void the_gateway_gets_the_process_that_calls() throws Exception {
        Process client = fixture.client("file", "alloc").start();
        long pid = client.pid();
        AgentFixture.end(client);
        assertEquals(pid, fixture.gateway().hellos.getFirst().pid());
        assertEquals(pid, fixture.gateway().requests.getFirst().pid());
    }

    @Test
    void a_node_can_be_the_null_device() throws Exception {
        makeDevices();
        List<String> lines = AgentFixture.end(fixture.client("device", "alloc").start());
        assertTrue(lines.contains("size=12288"), lines::toString);
    }

    @Test
    void a_file_is_no_node_of_a_client_that_has_devices() throws Exception {
        assertEquals(
                List.of(errno("error", Errno.ENOTTY), "some=0"),
                AgentFixture.end(fixture.client("device", "limit").start()));
    }

    @Test
    void a_containers_metadata_names_the_client() throws Exception {
        makeDevices();
        ProcessBuilder container = fixture.client("oci", "alloc");
        container.environment().put("OCI_STATE", STATE);
        assertTrue(AgentFixture.end(container.start()).contains("size=12288"));
        assertEquals("container", fixture.gateway().hellos.getFirst().kind());
        assertEquals("camera-app", fixture.gateway().hellos.getFirst().name());
        assertEquals("c1", fixture.gateway().hellos.getFirst().origin());
    }

    @Test
    void a_runtime_may_leave_its_connection_open() throws Exception {
        makeDevices();
        ProcessBuilder container = fixture.client("oci", "alloc");
        container.environment().put("OCI_STATE", STATE);
        container.environment().put("OCI_STAYS", "1");
        assertTrue(AgentFixture.end(container.start()).contains("size=12288"));
    }

    @Test
    void a_listener_can_be_attached_twice() throws Exception {
        requireEndOfReceipt();
        ProcessBuilder client = fixture.client("file", "threads");
        client.environment().put("CLIENT_ATTACHES", "2");
        assertEquals(List.of("failures=0"), AgentFixture.end(client.start()));
    }

    @Test
    void a_client_that_receives_its_own_calls_leaves_nothing_at_its_end() throws Exception {
        requireEndOfReceipt();
        ProcessBuilder client = fixture.client("file", "thief");
        client.environment().put("CLIENT_KEEPS", "1");
        assertEquals(List.of("stolen=1", "wrong=0"), AgentFixture.end(client.start()));
    }

    /** Earlier kernels leave a receiver waiting, whose call another one took, when the client has ended. */
    private static void requireEndOfReceipt() {
        String[] version = System.getProperty("os.version").split("\\D+");
        int major = Integer.parseInt(version[0]);
        boolean ends = major > 6 || major == 6 && Integer.parseInt(version[1]) >= 11;
        if (!ends) {
            System.out.println("skipped: a wait for a call ends with the client since Linux 6.11");
        }
        assumeTrue(ends, "Linux 6.11");
    }

    @Test
    void a_container_with_an_invalid_state_gets_ENOSYS_at_its_nodes() throws Exception {
        makeDevices();
        for (String state : List.of(
                "",
                "{",
                STATE.replace("camera-app", "camera\\u0000app"),
                STATE.replace("[\"seccompFd\"]", "[]"),
                STATE.replace("[\"seccompFd\"]", "[\"seccompFd\",\"other\"]"),
                STATE.replace("\"pid\":%d", "\"pid\":\"%d\""),
                STATE.replace("camera-app", "x".repeat(129)))) {
            ProcessBuilder container = fixture.client("oci", "limit");
            container.environment().put("OCI_STATE", state);
            assertEquals(List.of(errno("error", Errno.ENOSYS), "some=0"), AgentFixture.end(container.start()), state);
        }
        assertEquals(List.of(), fixture.gateway().hellos);
    }

    @Test
    void a_launcher_gets_the_nodes() {
        assertEquals(
                "0 "
                        + List.of("ion ion", "simple simple", "system dma-heap").stream()
                                .map(line -> fixture.folder() + "/" + line + "\n")
                                .collect(Collectors.joining()),
                request(1, "", false));
    }

    @Test
    void invalid_requests_are_refused_with_a_reason() {
        String nodes = fixture.folder() + "/";
        assertEquals("-22 invalid operation = 9: expected 1 or 2", request(9, "", false));
        assertEquals("-22 invalid packet: expected the listener's descriptor", request(2, nodes + "ion file", false));
        assertTrue(
                request(2, "/etc/passwd file", true).startsWith("-22 unknown node '/etc/passwd': expected one of ["));
        assertTrue(request(2, nodes + "ion x", true).startsWith("-22 invalid line '"));
        assertTrue(request(2, "", true).contains("expected a listener of seccomp"), request(2, "", true));
    }

    /** {@return the status and the text of the reply}, for a request perhaps with a memfd as descriptor */
    private String request(int operation, String text, boolean descriptor) {
        try (Arena arena = Arena.ofConfined();
                PacketSocket socket = PacketSocket.connect(fixture.folder().resolve("run"), PATIENCE)) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            MemorySegment packet = new LauncherPacket(operation, 0, text).encode(space);
            if (descriptor) {
                try (OwnedFd memory = memory()) {
                    socket.send(packet, memory);
                }
            } else {
                socket.send(packet);
            }
            try (ReceivedPacket reply = socket.receive(space)) {
                MemorySegment bytes = space.asSlice(0, reply.size());
                assertEquals((short) operation, bytes.get(JAVA_SHORT, 6));
                return bytes.get(JAVA_INT, 8) + " "
                        + new String(bytes.asSlice(16).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
            }
        }
    }

    private static OwnedFd memory() {
        int fd = new Memfd(Syscalls.linux()).create("", "test", 4096, 0);
        return OwnedFd.of(fd, Syscalls.linux()::close);
    }

    @Test
    void random_packets_end_with_a_reply_and_leave_nothing() {
        Random random = new Random(Long.getLong("agent.seed", 20));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(LauncherPacket.MOST_BYTES, 8);
            for (int i = 0; i < 300; i++) {
                byte[] bytes = new byte[1 + random.nextInt(64)];
                random.nextBytes(bytes);
                MemorySegment.copy(MemorySegment.ofArray(bytes), 0, space, 0, bytes.length);
                if (random.nextBoolean() && bytes.length >= 16) {
                    new LauncherPacket(random.nextInt(4), 0, "").encode(space);
                }
                try (PacketSocket socket = PacketSocket.connect(fixture.folder().resolve("run"), PATIENCE);
                        OwnedFd memory = memory()) {
                    socket.send(space.asSlice(0, bytes.length), memory);
                    try (ReceivedPacket reply = socket.receive(space)) {
                        assertTrue(reply.size() >= 16, "size of a reply: " + reply.size());
                    }
                }
            }
        }
        assertEquals(0, fixture.agent().clients());
    }

    @Test
    void silent_launchers_of_one_user_are_limited_and_end() throws Exception {
        List<PacketSocket> silent = new ArrayList<>();
        try {
            for (int i = 0; i < 40; i++) {
                silent.add(PacketSocket.connect(fixture.folder().resolve("run"), PATIENCE));
            }
            await(
                    "the excess connections are closed",
                    () -> silent.stream().filter(PacketSocket::hasHungUp).count() >= 24);
        } finally {
            silent.forEach(PacketSocket::close);
        }
        await("a launcher is served again", () -> {
            try {
                return request(1, "", false).startsWith("0 ");
            } catch (FdSocketException | IndexOutOfBoundsException e) {
                return false; // the connections of before are still counted
            }
        });
    }

    @Test
    void listeners_above_the_limit_are_refused() throws Exception {
        fixture.restart(PATIENCE, 2);
        List<Process> clients = new ArrayList<>();
        try {
            for (int i = 0; i < 2; i++) {
                clients.add(fixture.client("file", "many").start());
            }
            await("two clients", () -> fixture.agent().clients() == 2);
            Process third =
                    fixture.client("file", "many").redirectErrorStream(true).start();
            String reason = third.inputReader().readLine();
            assertTrue(reason.startsWith("attach: -11 ") && reason.contains("raise limit.listeners"), reason);
            assertEquals(1, third.waitFor());
            for (Process client : clients) {
                assertEquals("good=1", client.inputReader().readLine());
                enter(client.getOutputStream());
                assertEquals(0, client.waitFor());
            }
        } finally {
            clients.forEach(Process::destroyForcibly);
        }
    }

    @Test
    void many_clients_attach_and_end() throws Exception {
        int count = Integer.getInteger("agent.clients", 300);
        for (int i = 0; i < count; i += 10) {
            List<Process> clients = new ArrayList<>();
            for (int j = 0; j < 10; j++) {
                clients.add(fixture.client("file", "many").start());
            }
            for (Process client : clients) {
                assertEquals("good=1", client.inputReader().readLine());
                client.destroyForcibly().waitFor();
            }
        }
        assertEquals(count, fixture.gateway().requests.size());
    }
}
