// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.nativeclient.protocol.Operation;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;
import org.junit.jupiter.api.Test;

/** Tests of the server with programs that build their packets themselves. */
class NativeServerTest extends ServedTest {
    @Test
    void a_program_gets_memory_that_it_can_map_and_is_charged_until_it_closes_it() throws Exception {
        try (Program program = new Program(path)) {
            assertEquals(new Reply.Welcome(1, user), program.ask(Request.Hello.own()));
            Reply.Buffer buffer = program.buffer(Program.allocate(10_000, "system"));
            assertEquals(new Reply.Buffer(3 * PAGE, true, "system"), buffer);
            int fd = program.descriptor().fd();
            assertEquals(3 * PAGE, Files.size(Path.of("/proc/self/fd/" + fd)));

            Await.until(
                    "the client is the only holder",
                    () -> broker.monitor().buffers().stream().allMatch(BufferRecord::lingering));
            BufferRecord record = broker.monitor().buffers().getFirst();
            assertEquals(self, record.client());
            assertEquals(Optional.of("pid " + PID), record.name());
            assertEquals(Optional.of("process " + PID), record.origin());
            assertEquals(new Reply.Charged(3 * PAGE, 1, Reply.NO_QUOTA), program.ask(new Request.Usage()));
            program.closeDescriptors();
            Await.until(
                    "the charge ends",
                    () -> program.ask(new Request.Usage()).equals(new Reply.Charged(0, 0, Reply.NO_QUOTA)));
        }
    }

    @Test
    void memory_outlives_the_connection_that_it_came_over() {
        OwnedFd kept;
        try (Program program = Program.greeting(path)) {
            program.buffer(Program.allocate(PAGE));
            kept = OwnedFd.of(program.descriptor().detach(), Syscalls.linux()::close);
        }
        Await.until("the connection has ended", () -> !isConnected());
        assertEquals(
                PAGE,
                broker.monitor().usageByClient().stream()
                        .filter(record -> record.client().equals(Optional.of(self)))
                        .mapToLong(record -> record.lingeringBytes())
                        .sum());
        kept.close();
    }

    private boolean isConnected() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("dmaheap-native-" + PID));
    }

    @Test
    void the_quota_of_the_broker_applies_to_the_user() {
        rules(new String[] {user + "=" + 2 * PAGE}, "org.dmabuf.heap.native");
        try (Program program = Program.greeting(path)) {
            Reply.Failure refusal = program.failure(Program.allocate(3 * PAGE, "system"));
            assertEquals(-Errno.ENOMEM.number(), refusal.status());
            assertTrue(refusal.sentence().contains("quota.client"), refusal.sentence());
            program.buffer(Program.allocate(2 * PAGE, "system"));
            assertEquals(new Reply.Charged(2 * PAGE, 1, 2 * PAGE), program.ask(new Request.Usage()));
        }
    }

    @Test
    void a_refusal_names_heap_client_setting_and_file() throws Exception {
        apply(Map.of(
                "felix.fileinstall.filename",
                "/gateway/etc/org.dmabuf.heap.native.cfg",
                "allow",
                "camera=uid:4000000"));
        try (Program program = Program.greeting(path)) {
            Reply.Failure refusal = program.failure(Program.allocate(PAGE, "system"));
            assertEquals(-Errno.EACCES.number(), refusal.status());
            assertEquals(
                    "heap 'system': client " + user + " may not use it; to permit it, add system=" + user
                            + " to allow in etc/org.dmabuf.heap.native.cfg",
                    refusal.sentence());
            assertEquals(
                    "client " + user + " may not use any heap; to permit one, add HEAP=" + user
                            + " to allow in etc/org.dmabuf.heap.native.cfg",
                    program.failure(Program.allocate(PAGE)).sentence());
            assertEquals(new Reply.HeapList(0, List.of()), program.ask(new Request.Heaps(0)));

            apply(Map.of("allow", "sys*=uid:*"));
            assertEquals("system", program.buffer(Program.allocate(PAGE)).heap(), "the connection stays");
        }
    }

    @Test
    void a_request_without_names_is_limited_to_the_permitted_heaps() {
        broker.memfd("camera");
        try (Program program = Program.greeting(path)) {
            for (int i = 0; i < 4; i++) {
                assertEquals("system", program.buffer(Program.allocate(PAGE)).heap());
            }
            Request.Allocate camera = new Request.Allocate(
                    PAGE, 0, 0, false, 0, 0, "", List.of(), "(heap.name=camera)", List.of(), List.of(), List.of());
            assertEquals(-Errno.ENODEV.number(), program.failure(camera).status());
            Request.Allocate escape = new Request.Allocate(
                    PAGE, 0, 0, false, 0, 0, "", List.of(), "(a=b))(|(heap.name=*)", List.of(), List.of(), List.of());
            assertEquals(-Errno.EINVAL.number(), program.failure(escape).status());
        }
    }

    @Test
    void the_lists_have_only_what_the_client_may_use() throws Exception {
        broker.memfd("camera");
        published.put("camera/frame", broker.allocate(AllocationRequest.of(PAGE).withHeaps("system")));
        published.put("secret", published.get("camera/frame").newReference());
        apply(Map.of("allow", "system=" + user, "published", "camera/*=" + user));
        try (Program program = Program.greeting(path)) {
            Reply.HeapList heaps = (Reply.HeapList) program.ask(new Request.Heaps(0));
            assertEquals(1, heaps.total());
            assertEquals("system", heaps.heaps().getFirst().name());
            assertEquals(
                    new Reply.PublishedList(1, List.of(new Reply.PublishedEntry("camera/frame", PAGE, "system"))),
                    program.ask(new Request.Published(0)));
            assertEquals(new Reply.PublishedList(1, List.of()), program.ask(new Request.Published(-1)));
            assertEquals(
                    -Errno.EACCES.number(),
                    program.failure(new Request.Open(true, "secret")).status());
        }
    }

    @Test
    void a_published_buffer_is_opened_with_its_content_and_charged_to_its_publisher() throws Exception {
        DmaBuf frame = broker.allocate(AllocationRequest.of(PAGE).withExport(ExportMode.READ_ONLY));
        published.put("frame", frame);
        try (Arena arena = Arena.ofConfined()) {
            frame.map(Access.WRITE, arena).set(ValueLayout.JAVA_BYTE, 7, (byte) 42);
        }
        apply(Map.of("published", "*=" + user));
        try (Program program = Program.greeting(path)) {
            assertEquals(PAGE, program.buffer(new Request.Open(true, "frame")).size());
            int fd = program.descriptor().fd();
            assertEquals(42, Files.readAllBytes(Path.of("/proc/self/fd/" + fd))[7]);
            assertEquals(new Reply.Charged(0, 0, Reply.NO_QUOTA), program.ask(new Request.Usage()));
            assertEquals(
                    -Errno.ENOENT.number(),
                    program.failure(new Request.Open(true, "other")).status());
        }
    }

    @Test
    void an_agent_allocates_for_the_client_that_it_names() {
        try (Program agent = new Program(path)) {
            Request hello = new Request.Hello(1, 1, true, 4711, "container", "camera-app", "0123456789ab");
            assertEquals(new Reply.Welcome(1, "container:camera-app"), agent.ask(hello));
            Reply.Failure refusal = agent.failure(Program.allocate(PAGE, "system"));
            assertTrue(refusal.sentence().contains("add system=container:camera-app"), refusal.sentence());
        }
    }

    @Test
    void the_process_of_an_agents_client_is_in_the_dump() throws Exception {
        apply(Map.of("allow", "system=container:*"));
        try (Program agent = new Program(path)) {
            agent.ask(new Request.Hello(1, 1, true, 4711, "container", "camera-app", "0123456789ab"));
            agent.buffer(Program.allocate(PAGE, "system"));
            BufferRecord record = broker.monitor().buffers().getFirst();
            assertEquals("container:camera-app", record.client().toString());
            assertEquals(Optional.of("pid 4711"), record.name());
            assertEquals(Optional.of("process 4711 of 0123456789ab"), record.origin());
            agent.buffer(new Request.Allocate(
                    PAGE, 0, 0, false, 0, 4712, "frame", List.of(), "", List.of(), List.of(), List.of()));
            assertTrue(broker.monitor().buffers().stream()
                    .anyMatch(buffer -> buffer.name().equals(Optional.of("frame@4712"))));
        }
    }

    @Test
    void two_containers_with_one_name_have_one_account_and_their_own_origins() throws Exception {
        apply(Map.of("allow", "system=container:*"));
        try (Program first = new Program(path);
                Program second = new Program(path)) {
            first.ask(new Request.Hello(1, 1, true, 1, "container", "camera-app", "a\u001b"));
            second.ask(new Request.Hello(1, 1, true, 0, "container", "camera-app", "b".repeat(1000)));
            first.buffer(Program.allocate(PAGE, "system"));
            second.buffer(Program.allocate(PAGE, "system"));
            assertEquals(
                    Set.of("process 1 of a\\u001b", "process unknown of " + "b".repeat(256)),
                    broker.monitor().buffers().stream()
                            .map(record -> record.origin().orElseThrow())
                            .collect(Collectors.toSet()));
            assertEquals(new Reply.Charged(2 * PAGE, 2, Reply.NO_QUOTA), first.ask(new Request.Usage()));
        }
    }

    @Test
    void the_peers_of_a_heap_are_checked_for_the_client_of_an_agent() throws Exception {
        MemfdSource source = MemfdSource.open("guarded", Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties());
        properties.put(HeapProperties.PEERS, new Integer[] {UserDatabase.ownUser(), 4_000_000});
        broker.heap("guarded", source, properties);
        apply(Map.of("allow", "guarded=*"));
        try (Program agent = new Program(path)) {
            agent.ask(new Request.Hello(1, 1, true, 1, "uid", "4000000", ""));
            agent.buffer(Program.allocate(PAGE, "guarded"));
        }
        for (Request.Hello other : List.of(
                new Request.Hello(1, 1, true, 1, "uid", "4000001", ""),
                new Request.Hello(1, 1, true, 1, "container", "4000000", ""))) {
            try (Program agent = new Program(path)) {
                agent.ask(other);
                Reply.Failure refusal = agent.failure(Program.allocate(PAGE, "guarded"));
                assertEquals(-Errno.EACCES.number(), refusal.status());
                assertTrue(refusal.sentence().startsWith("heap 'guarded': client " + other.kind()), refusal.sentence());
                assertTrue(refusal.sentence().contains("heap.peers"), refusal.sentence());
            }
        }
    }

    @Test
    void only_an_agent_names_another_client() throws Exception {
        apply(Map.of("agents", "4000000", "allow", "system=" + user));
        try (Program program = new Program(path)) {
            Reply.Failure refusal = program.failure(new Request.Hello(1, 1, true, 4711, "container", "camera-app", ""));
            assertEquals(-Errno.EACCES.number(), refusal.status());
            assertTrue(refusal.sentence().contains("to agents in org.dmabuf.heap.native"), refusal.sentence());
            assertEquals(
                    -Errno.EINVAL.number(),
                    program.failure(new Request.Hello(1, 1, false, 0, "uid", "0", ""))
                            .status());
            assertEquals(new Reply.Welcome(1, user), program.ask(Request.Hello.own()));
            assertEquals(
                    -Errno.EINVAL.number(),
                    program.failure(new Request.Allocate(
                                    PAGE, 0, 0, false, 0, 4711, "", List.of(), "", List.of(), List.of(), List.of()))
                            .status());
        }
    }

    @Test
    void without_the_brokers_permission_the_refusal_names_its_setting() {
        rules(NONE);
        try (Program program = new Program(path)) {
            Reply.Failure refusal = program.failure(Request.Hello.own());
            assertEquals(-Errno.EACCES.number(), refusal.status());
            assertTrue(refusal.sentence().contains("add org.dmabuf.heap.native to views.allow"), refusal.sentence());
        }
    }

    @Test
    void versions_and_the_first_request_are_checked() {
        try (Program program = new Program(path)) {
            assertEquals(
                    -Errno.EPROTO.number(), program.failure(new Request.Usage()).status());
            assertEquals(
                    -Errno.EPROTO.number(),
                    program.failure(new Request.Hello(2, 3, false, 0, "", "", ""))
                            .status());
            assertInstanceOf(Reply.Welcome.class, program.ask(new Request.Hello(0, 9, false, 0, "", "", "")));
            assertEquals(
                    -Errno.EINVAL.number(), program.failure(Request.Hello.own()).status());
        }
    }

    @Test
    void a_program_without_a_valid_hello_is_disconnected() {
        try (Program greeted = Program.greeting(path);
                Program silent = new Program(path);
                Program persistent = new Program(path)) {
            Await.until("the programs are disconnected", () -> {
                try {
                    persistent.failure(new Request.Usage());
                    return false;
                } catch (FdSocketException | AssertionError e) {
                    return silent.socket.hasHungUp();
                }
            });
            assertInstanceOf(Reply.Charged.class, greeted.ask(new Request.Usage()));
        }
    }

    @Test
    void a_user_without_a_grant_that_is_no_agent_gets_no_connection() throws Exception {
        apply(Map.of("agents", "4000000", "allow", "system=uid:4000000"));
        try (Program program = new Program(path)) {
            Reply.Failure refusal = program.failure(Request.Hello.own());
            assertEquals(-Errno.EACCES.number(), refusal.status());
            assertTrue(refusal.sentence().contains("add HEAP=" + user + " to allow"), refusal.sentence());
            assertThrows(AssertionError.class, () -> program.reply(Operation.HELLO));
        }
    }

    @Test
    void invalid_values_are_refused_and_the_connection_goes_on() {
        try (Program program = Program.greeting(path)) {
            for (long size : new long[] {0, -1, Long.MAX_VALUE}) {
                assertEquals(
                        -Errno.EINVAL.number(),
                        program.failure(Program.allocate(size)).status());
            }
            for (String name : List.of("x".repeat(32), "a\nb")) {
                assertEquals(
                        -Errno.EINVAL.number(),
                        program.failure(new Request.Allocate(
                                        PAGE, 0, 0, false, 0, 0, name, List.of(), "", List.of(), List.of(), List.of()))
                                .status());
            }
            program.buffer(Program.allocate(PAGE));
        }
    }

    @Test
    void a_filter_that_is_long_or_deeply_nested_is_refused_and_the_connection_goes_on() {
        try (Program program = Program.greeting(path)) {
            for (String filter : List.of("(!".repeat(2500), "(!".repeat(512), "(a=" + "x".repeat(1021) + ")")) {
                Request.Allocate request = new Request.Allocate(
                        PAGE, 0, 0, false, 0, 0, "", List.of(), filter, List.of(), List.of(), List.of());
                assertEquals(-Errno.EINVAL.number(), program.failure(request).status());
            }
            program.buffer(Program.allocate(PAGE));
        }
    }

    @Test
    void descriptors_in_a_request_are_refused_and_closed() {
        try (Program program = Program.greeting(path);
                OwnedFd sent = OwnedFd.of(Syscalls.linux().memfdCreate("sent", 1), Syscalls.linux()::close)) {
            MemorySegment packet = new Request.Usage().encode(9, Arena.ofAuto().allocate(64));
            for (int i = 0; i < 100; i++) {
                program.socket.send(packet, sent);
                Reply.Failure refusal = (Reply.Failure) program.reply(Operation.USAGE);
                assertEquals(-Errno.EINVAL.number(), refusal.status());
            }
        }
    }

    @Test
    void garbage_ends_its_own_connection_only() {
        Random random = new Random(7);
        try (Program good = Program.greeting(path)) {
            for (int i = 0; i < 300; i++) {
                try (Program bad = new Program(path)) {
                    byte[] bytes = new byte[random.nextInt(1, 20_000)];
                    random.nextBytes(bytes);
                    MemorySegment packet = Arena.ofAuto().allocate(bytes.length);
                    packet.copyFrom(MemorySegment.ofArray(bytes));
                    bad.socket.send(packet);
                }
            }
            good.buffer(Program.allocate(PAGE));
        }
    }

    @Test
    void a_hanging_heap_delays_only_its_own_clients_and_the_thread_ends_with_the_program() {
        CountDownLatch entered = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        broker.heap("hanging", new FakeHeap(request -> {
            entered.countDown();
            try {
                hang.await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                Thread.currentThread().interrupt();
            }
            return new FakeMemory(request.size());
        }));
        try (Program other = Program.greeting(path)) {
            try (Program hung = Program.greeting(path)) {
                hung.send(Program.allocate(PAGE, "hanging"));
                await(entered);
                other.buffer(Program.allocate(PAGE, "system"));
                assertFalse(interrupted.getCount() == 0);
            }
            await(interrupted);
        }
    }

    @Test
    void calls_that_a_hung_heap_keeps_after_their_programs_left_limit_only_their_client() throws Exception {
        apply(Map.of("connections", "2", "connections.client", "2", "allow", "system=* hanging=" + user));
        broker.heap("hanging", new FakeHeap(request -> {
            boolean released = false;
            while (!released) {
                try {
                    hang.await();
                    released = true;
                } catch (InterruptedException e) {
                    // a driver can ignore interrupts
                }
            }
            return new FakeMemory(request.size());
        }));
        for (int i = 0; i < 2; i++) {
            try (Program leaving = Program.greeting(path)) {
                leaving.send(Program.allocate(PAGE, "hanging"));
                Await.until("the request runs", () -> inHeap() > 0);
            }
        }
        Await.until("the slots are free, and the calls count", () -> greeting().contains("has left 2 calls"));
        assertTrue(greeting().contains("ALLOCATE from heap 'hanging'"), greeting());
        Await.until("only the calls are left", () -> threads() == 2);
        try (Program agent = new Program(path)) {
            Request hello = new Request.Hello(1, 1, true, 1, "container", "a", "");
            assertInstanceOf(Reply.Welcome.class, agent.ask(hello));
            agent.buffer(Program.allocate(PAGE, "system"));
        }
        hang.countDown();
        Await.until("the calls have returned", () -> greeting().isEmpty());
    }

    private static long inHeap() {
        return Thread.getAllStackTraces().values().stream()
                .filter(stack -> List.of(stack).toString().contains("FakeHeap"))
                .count();
    }

    /** {@return the refusal of a new connection, empty if it is served} */
    private String greeting() {
        try (Program program = new Program(path)) {
            return program.ask(Request.Hello.own()) instanceof Reply.Failure refusal ? refusal.sentence() : "";
        }
    }

    @Test
    void a_program_that_leaves_while_it_waits_for_memory_ends_its_request() {
        rules(new String[] {user + "=" + PAGE}, "org.dmabuf.heap.native");
        try (Program holder = Program.greeting(path)) {
            holder.buffer(Program.allocate(PAGE, "system"));
            try (Program waiting = Program.greeting(path)) {
                waiting.send(Program.waiting(PAGE, 600_000, "system"));
                Await.until("both are served", () -> threads() == 2);
            }
            Await.until("the thread of the one that left has ended", () -> threads() == 1);
        }
    }

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("dmaheap-native-"))
                .count();
    }

    @Test
    void a_close_ends_requests_that_wait() throws Exception {
        rules(new String[] {user + "=" + PAGE}, "org.dmabuf.heap.native");
        try (Program holder = Program.greeting(path);
                Program waiting = Program.greeting(path)) {
            holder.buffer(Program.allocate(PAGE, "system"));
            waiting.send(Program.waiting(PAGE, 600_000, "system"));
            server.close();
            assertEquals(0, threads());
            assertThrows(AssertionError.class, () -> waiting.reply(Operation.ALLOCATE));
            assertThrows(FdSocketException.class, () -> new Program(path));
        }
    }

    @Test
    void connections_are_limited_in_all_and_for_each_client() throws Exception {
        apply(Map.of("connections", "3", "connections.client", "2", "allow", "system=*"));
        List<Program> open = new ArrayList<>();
        try {
            open.add(Program.greeting(path));
            open.add(Program.greeting(path));
            try (Program third = new Program(path)) {
                Reply.Failure refusal = third.failure(Request.Hello.own());
                assertEquals(-Errno.EBUSY.number(), refusal.status());
                assertTrue(refusal.sentence().contains("connections.client"), refusal.sentence());
            }
            open.removeLast().close();
            Await.until("the slot is free", () -> threads() == 1);
            Program agent = new Program(path);
            open.add(agent);
            agent.ask(new Request.Hello(1, 1, true, 1, "container", "a", ""));
            Program second = new Program(path);
            open.add(second);
            assertInstanceOf(Reply.Welcome.class, second.ask(Request.Hello.own()));
            try (Program fourth = new Program(path)) {
                Reply.Failure refusal = fourth.failure(Request.Hello.own());
                assertTrue(refusal.sentence().startsWith("3 connections are open"), refusal.sentence());
            }
        } finally {
            open.forEach(Program::close);
        }
    }

    @Test
    void each_refused_program_that_says_hello_gets_the_reason() throws Exception {
        apply(Map.of("connections.client", "1", "allow", "system=*"));
        try (Program _ = Program.greeting(path)) {
            for (int i = 0; i < 500; i++) {
                try (Program refused = new Program(path)) {
                    assertEquals(
                            -Errno.EBUSY.number(),
                            refused.failure(Request.Hello.own()).status());
                }
            }
        }
    }

    @Test
    void refused_programs_that_are_silent_do_not_delay_others() throws Exception {
        apply(Map.of("connections.client", "1", "allow", "system=*"));
        List<Program> silent = new ArrayList<>();
        try (Program served = Program.greeting(path)) {
            for (int i = 0; i < 40; i++) {
                silent.add(new Program(path));
            }
            served.buffer(Program.allocate(PAGE, "system"));
            Await.until(
                    "the silent ones are disconnected",
                    () -> silent.stream().allMatch(program -> program.socket.hasHungUp()));
        } finally {
            silent.forEach(Program::close);
        }
    }

    @Test
    void thousands_of_connections_come_and_go() throws Exception {
        apply(Map.of("connections", "1000", "connections.client", "1000", "allow", "system=" + user));
        for (int round = 0; round < 5; round++) {
            List<Program> open = new ArrayList<>();
            try {
                for (int i = 0; i < 400; i++) {
                    open.add(Program.greeting(path));
                }
                open.getLast().buffer(Program.allocate(PAGE));
                assertEquals(400, threads());
            } finally {
                open.forEach(Program::close);
            }
            Await.until("all have ended", () -> threads() == 0);
        }
    }

    @Test
    void a_program_that_never_reads_is_disconnected_and_its_memory_is_released() {
        try (Program other = Program.greeting(path)) {
            try (Program deaf = Program.greeting(path)) {
                FdSocketException end = assertThrows(FdSocketException.class, () -> {
                    while (true) {
                        deaf.send(Program.allocate(PAGE, "system"));
                    }
                });
                assertTrue(Set.of(Errno.EPIPE, Errno.ECONNRESET).contains(end.errno()), end.toString());
                other.buffer(Program.allocate(PAGE));
                other.closeDescriptors();
            }
            Await.until(
                    "nothing is charged",
                    () -> other.ask(new Request.Usage()).equals(new Reply.Charged(0, 0, Reply.NO_QUOTA)));
        }
    }

    @Test
    void settings_that_are_invalid_are_refused_with_the_expected_value() {
        Map<String, String> invalid = Map.of(
                "path", "native.socket",
                "access", "everyone",
                "allow", "system",
                "published", "=uid:1",
                "agents", "no such user",
                "connections", "0",
                "connections.client", "x");
        invalid.forEach((setting, value) -> {
            HeapException refusal = assertThrows(HeapException.class, () -> settings(Map.of(setting, value)), setting);
            assertTrue(refusal.getMessage().startsWith("invalid " + setting + " = "), refusal.getMessage());
            assertTrue(refusal.getMessage().contains(": expected "), refusal.getMessage());
        });
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(20, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
