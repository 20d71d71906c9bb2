// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Tests with both ends in one process, over the real kernel. A misbehaving peer builds its messages by hand. */
class FdSocketTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(50);

    private final Syscalls syscalls = Syscalls.linux();

    @RegisterExtension
    final Descriptors descriptors = new Descriptors();

    @TempDir
    Path folder;

    @Test
    void a_received_descriptor_has_its_own_number_and_refers_to_the_same_file() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            pair.server.send(sent, "4096 frame");
            try (FdMessage message = pair.client.receive()) {
                assertEquals("4096 frame", message.text());
                assertNotEquals(sent.fd(), message.descriptor().fd());
                assertEquals(
                        syscalls.inode(sent.fd()),
                        syscalls.inode(message.descriptor().fd()));
                assertTrue(isCloseOnExec(message.descriptor().fd()));
            }
        }
    }

    @Test
    void descriptors_can_be_sent_both_ways_any_number_of_times() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            for (int i = 0; i < 1000; i++) {
                pair.client.send(sent, "there " + i);
                try (FdMessage there = pair.server.receive()) {
                    assertEquals("there " + i, there.text());
                    pair.server.send(there.descriptor(), "back");
                }
                pair.client.receive().close();
            }
        }
    }

    @Test
    void the_peer_is_known_before_anything_is_sent() throws Exception {
        try (Pair pair = new Pair()) {
            PeerCredentials peer = pair.server.peer();
            assertEquals(ProcessHandle.current().pid(), peer.pid());
            assertEquals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"), peer.uid());
            assertEquals(Files.getAttribute(Path.of("/proc/self"), "unix:gid"), peer.gid());
        }
    }

    @Test
    void a_peer_without_permission_is_disconnected_and_the_wait_continues() throws Exception {
        List<PeerCredentials> asked = new ArrayList<>();
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket first = FdSocket.connect(listener.path(), LONG);
                FdSocket second = FdSocket.connect(listener.path(), LONG);
                FdSocket accepted = listener.accept(LONG, peer -> {
                    asked.add(peer);
                    return asked.size() == 2;
                });
                OwnedFd sent = Descriptors.memfd()) {
            accepted.send(sent, "x");
            assertEquals(
                    Errno.ENOTCONN,
                    assertThrows(FdSocketException.class, first::receive).errno());
            second.receive().close();
        }
    }

    @Test
    void without_a_permitted_process_the_exception_names_the_refused_ones() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket refused = FdSocket.connect(listener.path(), LONG)) {
            FdSocketException e =
                    assertThrows(FdSocketException.class, () -> listener.accept(Duration.ofMillis(200), peer -> false));
            assertEquals(Errno.ETIMEDOUT, e.errno());
            assertTrue(
                    e.getMessage()
                            .contains(
                                    "refused process " + ProcessHandle.current().pid()),
                    e.getMessage());
            assertThrows(FdSocketException.class, refused::receive);
        }
    }

    @Test
    void a_predicate_that_throws_leaves_no_connection() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket peer = FdSocket.connect(listener.path(), LONG)) {
            assertThrows(
                    ArithmeticException.class,
                    () -> listener.accept(LONG, _ -> {
                        throw new ArithmeticException();
                    }));
            assertThrows(FdSocketException.class, peer::receive);
        }
    }

    @Test
    void the_file_of_the_socket_is_private_and_is_removed_with_the_listener() throws Exception {
        Path path = folder.resolve("s");
        try (FdListener listener = FdListener.bind(path)) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(listener.path())));
        }
        assertFalse(Files.exists(path));
    }

    @Test
    void an_address_in_use_is_refused_and_its_listener_is_undisturbed() throws Exception {
        Path path = folder.resolve("s");
        try (FdListener listener = FdListener.bind(path)) {
            FdSocketException e = assertThrows(FdSocketException.class, () -> FdListener.bind(path));
            assertEquals(Errno.EADDRINUSE, e.errno());
            FdSocketException alone = assertThrows(FdSocketException.class, () -> listener.accept(SHORT, peer -> true));
            assertEquals(Errno.ETIMEDOUT, alone.errno(), "the listener does not notice the attempt");
            try (FdSocket client = FdSocket.connect(path, LONG);
                    FdSocket server = listener.accept(LONG, peer -> true)) {
                assertEquals(client.peer().pid(), server.peer().pid());
            }
        }
    }

    @Test
    void the_file_that_a_dead_listener_left_is_replaced_and_any_other_file_is_not() throws Exception {
        Path path = folder.resolve("s");
        abandon(path);
        assertTrue(Files.exists(path));
        FdListener.bind(path).close();

        Path file = Files.writeString(folder.resolve("file"), "precious");
        FdSocketException e = assertThrows(FdSocketException.class, () -> FdListener.bind(file));
        assertEquals(Errno.EADDRINUSE, e.errno());
        assertEquals("precious", Files.readString(file));
    }

    @Test
    void an_address_that_is_bound_and_not_yet_listening_is_not_replaced() throws Exception {
        Path path = folder.resolve("s");
        try (OwnedFd starting = FdSocket.open(syscalls, SocketCalls.linux())) {
            assertEquals(0, SocketCalls.linux().bind(starting.fd(), path.toString()));
            assertEquals(
                    Errno.EADDRINUSE,
                    assertThrows(FdSocketException.class, () -> FdListener.bind(path))
                            .errno());
            assertTrue(Files.exists(path));
        }
    }

    @Test
    void a_listener_leaves_the_file_of_another_at_its_path_alone() throws Exception {
        Path path = folder.resolve("s");
        FdListener first = FdListener.bind(path);
        Files.delete(path);
        Files.writeString(path, "another's");
        first.close();
        assertEquals("another's", Files.readString(path));
    }

    @Test
    void an_interrupt_ends_the_wait_for_a_peer() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"))) {
            CompletableFuture<Errno> ended = new CompletableFuture<>();
            Thread waits = Thread.ofPlatform().start(() -> {
                try {
                    listener.accept(LONG, peer -> true).close();
                } catch (FdSocketException e) {
                    ended.complete(e.errno());
                }
            });
            waits.interrupt();
            assertEquals(Errno.EINTR, ended.get(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void an_interrupt_ends_the_wait_for_a_message() throws Exception {
        try (Pair pair = new Pair()) {
            CompletableFuture<Errno> ended = new CompletableFuture<>();
            Thread waits = Thread.ofPlatform().start(() -> {
                try {
                    pair.server.receive(LONG).close();
                } catch (FdSocketException e) {
                    ended.complete(e.errno());
                }
            });
            waits.interrupt();
            assertEquals(Errno.EINTR, ended.get(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void a_wait_for_a_message_has_its_own_timeout() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(FdSocketException.class, () -> pair.server.receive(SHORT))
                            .errno());
            pair.client.send(sent, "x");
            try (FdMessage message = pair.server.receive(LONG)) {
                assertEquals("x", message.text());
            }
        }
    }

    @Test
    void the_kernel_reports_the_supplementary_groups_of_a_peer() throws Exception {
        Set<Integer> groups = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("Groups:"))
                .flatMap(line -> Stream.of(line.substring(7).strip().split(" ")))
                .filter(word -> !word.isEmpty())
                .map(Integer::parseUnsignedInt)
                .collect(Collectors.toSet());
        try (Pair pair = new Pair()) {
            assertEquals(groups, pair.server.peer().groups());
        }
    }

    @Test
    void any_number_of_groups_of_a_peer_is_reported() throws Exception {
        int[] room = {0, 0};
        SocketCalls many = (SocketCalls) Proxy.newProxyInstance(
                SocketCalls.class.getClassLoader(), new Class<?>[] {SocketCalls.class}, (proxy, method, arguments) -> {
                    if (!method.getName().equals("peerGroups")) {
                        return method.invoke(SocketCalls.linux(), arguments);
                    }
                    MemorySegment groups = (MemorySegment) arguments[1];
                    room[room[0] == 0 ? 0 : 1] = (int) groups.byteSize();
                    if (groups.byteSize() < 4 * 100) {
                        return -34; // ERANGE
                    }
                    for (int i = 0; i < 100; i++) {
                        groups.setAtIndex(JAVA_INT, i, i);
                    }
                    return 4 * 100;
                });
        try (Pair pair = new Pair();
                FdSocket socket = new FdSocket(syscalls, many, secondClient(pair))) {
            assertEquals(100, socket.peer().groups().size());
            assertTrue(room[0] < room[1]);
        }
    }

    @Test
    void signals_do_not_extend_the_timeout() throws Exception {
        try (Pair pair = new Pair()) {
            FdSocket interrupted = new FdSocket(syscalls, failing("receive", Errno.EINTR), secondClient(pair));
            interrupted.timeout(SHORT);
            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(FdSocketException.class, interrupted::receive).errno());
            interrupted.close();
        }
    }

    @Test
    void a_timeout_below_a_millisecond_is_not_infinite() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket client = FdSocket.connect(listener.path(), Duration.ofNanos(1))) {
            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(FdSocketException.class, client::receive).errno());
        }
    }

    @Test
    void invalid_addresses_are_refused_with_a_sentence() {
        Path tooLong = folder.resolve("x".repeat(108));
        assertEquals(
                Errno.ENAMETOOLONG,
                assertThrows(FdSocketException.class, () -> FdListener.bind(tooLong))
                        .errno());
        assertEquals(
                Errno.ENAMETOOLONG,
                assertThrows(FdSocketException.class, () -> FdSocket.connect(tooLong, LONG))
                        .errno());
        Path missing = folder.resolve("missing");
        FdSocketException e = assertThrows(FdSocketException.class, () -> FdSocket.connect(missing, LONG));
        assertEquals(Errno.ENOENT, e.errno());
        assertTrue(e.getMessage().endsWith(missing + " failed: no such file or directory"), e.getMessage());
        assertEquals(
                Errno.EINVAL,
                assertThrows(FdSocketException.class, () -> FdListener.bind(Path.of("")))
                        .errno());
    }

    @Test
    void a_hanging_peer_blocks_no_call_for_longer_than_the_timeout() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket hanging = FdSocket.connect(listener.path(), LONG);
                FdSocket server = listener.accept(LONG, peer -> true)) {
            server.timeout(SHORT);
            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(FdSocketException.class, server::receive).errno());
            try (OwnedFd sent = Descriptors.memfd()) {
                FdSocketException full = assertThrows(FdSocketException.class, () -> {
                    for (int i = 0; i < 100_000; i++) {
                        server.send(sent, "x".repeat(FdSocket.TEXT_BYTES)); // until the peer's queue is full
                    }
                });
                assertEquals(Errno.ETIMEDOUT, full.errno(), full.getMessage());
            }
            assertTrue(hanging.peer().pid() > 0);
        }
    }

    @Test
    void closing_ends_a_waiting_call() throws Exception {
        for (int round = 0; round < 200; round++) { // closed before, at and after the start of the wait
            try (Pair pair = new Pair()) {
                CompletableFuture<FdMessage> receives = CompletableFuture.supplyAsync(pair.server::receive);
                CompletableFuture<FdSocket> accepts =
                        CompletableFuture.supplyAsync(() -> pair.listener.accept(LONG, peer -> true));
                for (int spins = 0; spins < round * 200; spins++) {
                    Thread.onSpinWait();
                }
                pair.server.close();
                pair.listener.close();
                assertThrows(ExecutionException.class, () -> receives.get(10, TimeUnit.SECONDS));
                assertThrows(ExecutionException.class, () -> accepts.get(10, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void a_number_is_not_closed_during_a_call_that_uses_it() throws Exception {
        CountDownLatch called = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        OwnedFd fd = FdSocket.open(syscalls, SocketCalls.linux());
        int number = fd.fd();
        GuardedSocket socket = new GuardedSocket(SocketCalls.linux(), fd);
        CompletableFuture<Long> call = CompletableFuture.supplyAsync(() -> socket.call(lent -> {
            called.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            return syscalls.inode(lent);
        }));
        called.await();
        long inode = syscalls.inode(number);
        Thread closer = Thread.ofPlatform().start(socket::close);
        while (closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        goOn.countDown();
        assertEquals(inode, call.get(10, TimeUnit.SECONDS));
        closer.join();
        assertThrows(IllegalStateException.class, () -> socket.call(lent -> 0));
    }

    @Test
    void a_closed_connection_is_reported_and_raises_no_signal() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            pair.client.close();
            assertEquals(
                    Errno.ENOTCONN,
                    assertThrows(FdSocketException.class, pair.server::receive).errno());
            assertEquals(
                    Errno.EPIPE,
                    assertThrows(FdSocketException.class, () -> pair.server.send(sent, "x"))
                            .errno());
        }
    }

    @Test
    void an_invalid_message_is_a_protocol_error_and_each_of_its_descriptors_is_closed() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd a = Descriptors.memfd();
                OwnedFd b = Descriptors.memfd()) {
            for (int count : new int[] {0, 2, 3, 4, 5, 64, 253}) {
                int[] descriptors = new int[count];
                for (int i = 0; i < count; i++) {
                    descriptors[i] = i % 2 == 0 ? a.fd() : b.fd();
                }
                pair.sendRaw("text", descriptors);
                refusedAsRubbish(pair, count + " descriptors");
            }
            pair.sendRaw("x".repeat(FdSocket.TEXT_BYTES + 1), a.fd());
            refusedAsRubbish(pair, "a text that is too long");
            pair.sendRaw(new byte[] {(byte) 0xff, (byte) 0xfe}, a.fd());
            refusedAsRubbish(pair, "a text that is not UTF-8");

            pair.client.send(a, "still in order");
            try (FdMessage message = pair.server.receive()) {
                assertEquals("still in order", message.text());
            }
        }
    }

    @Test
    void a_descriptor_is_sent_to_a_user_that_its_heap_lists() throws Exception {
        int self = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            for (Object users : List.of(self, List.of(self), List.of(4711, self))) {
                pair.server.send(lent(sent, users), "named");
                pair.client.receive().close();
            }
            pair.server.send(lent(sent, null), "no rule");
            pair.client.receive().close();
        }
    }

    @Test
    void a_descriptor_is_not_sent_to_a_user_that_its_heap_does_not_list() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            FdSocket sender = new FdSocket(syscalls, connectedTo(4711), secondClient(pair));
            for (Object users : List.of(List.of(), List.of(4710, 4712), 4712, "4711", List.of("4711", 4711L))) {
                OwnedFd secret = lent(sent, users);
                FdSocketException e = assertThrows(FdSocketException.class, () -> sender.send(secret, "x"));
                assertEquals(Errno.EACCES, e.errno());
                assertEquals(
                        "heap 'secure': process 42 of user 4711 may not receive a descriptor of its memory; add 4711 to"
                                + " heap.peers in the heap's configuration",
                        e.getMessage());
            }
            sender.close();
            FdSocketException end = assertThrows(FdSocketException.class, pair.server::receive);
            assertEquals("the peer disconnected without sending a descriptor", end.getMessage());
        }
    }

    @Test
    void an_unidentified_peer_gets_no_descriptor_of_a_heap_with_a_peer_rule() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            FdSocket sender = new FdSocket(syscalls, failing("peer", Errno.EIO), secondClient(pair));
            OwnedFd secret = lent(sent, List.of(0));
            assertThrows(FdSocketException.class, () -> sender.send(secret, "x"));
            sender.close();
            FdSocketException end = assertThrows(FdSocketException.class, pair.server::receive);
            assertEquals("the peer disconnected without sending a descriptor", end.getMessage());
        }
    }

    /** {@return a duplicate of the client's descriptor} */
    private OwnedFd secondClient(Pair pair) {
        return OwnedFd.of(syscalls.fcntl(pair.rawClient(), 1030, 0), syscalls::close);
    }

    /** Descriptor like one that a broker exports, whose close does nothing. */
    private static OwnedFd lent(OwnedFd descriptor, Object users) {
        OwnedFd exported = OwnedFd.awaiting(number -> {}, PeerRule.of("secure", users));
        exported.own(descriptor.fd());
        return exported;
    }

    /** Kernel that reports every peer as process 42 of that user. */
    private static SocketCalls connectedTo(int user) {
        return (SocketCalls) Proxy.newProxyInstance(
                SocketCalls.class.getClassLoader(), new Class<?>[] {SocketCalls.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("peer")) {
                        MemorySegment ucred = (MemorySegment) arguments[1];
                        ucred.set(JAVA_INT, 0, 42);
                        ucred.set(JAVA_INT, 4, user);
                        return 0;
                    }
                    return method.invoke(SocketCalls.linux(), arguments);
                });
    }

    @Test
    void a_text_that_does_not_fit_is_refused_before_it_is_sent() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            for (String text : new String[] {"", "x".repeat(257), "\u20ac".repeat(86)}) {
                assertEquals(
                        Errno.EINVAL,
                        assertThrows(FdSocketException.class, () -> pair.client.send(sent, text))
                                .errno());
            }
        }
    }

    @Test
    void an_interrupted_call_is_repeated() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            FdSocket interrupted = new FdSocket(syscalls, onceInterrupted(), secondClient(pair));
            interrupted.send(sent, "twice");
            try (FdMessage message = pair.server.receive()) {
                pair.server.send(message.descriptor(), message.text());
            }
            interrupted.receive().close();
            interrupted.close();
        }
    }

    /** After the signal, and when the message arrives. */
    @Test
    void a_received_descriptor_is_not_lost_when_another_thread_closes_the_socket() throws Exception {
        try (Pair pair = new Pair();
                OwnedFd sent = Descriptors.memfd()) {
            FdSocket[] receiver = new FdSocket[1];
            int[] calls = {0};
            SocketCalls closed = (SocketCalls) Proxy.newProxyInstance(
                    getClass().getClassLoader(), new Class<?>[] {SocketCalls.class}, (proxy, method, arguments) -> {
                        boolean receives = method.getName().equals("receive");
                        if (receives && calls[0]++ == 0) {
                            return (long) -Errno.EINTR.number();
                        }
                        Object result = method.invoke(SocketCalls.linux(), arguments);
                        if (receives) {
                            receiver[0].close();
                        }
                        return result;
                    });
            receiver[0] = new FdSocket(syscalls, closed, secondClient(pair));
            pair.server.send(sent, "x");
            try (FdMessage message = receiver[0].receive()) {
                assertEquals(
                        syscalls.inode(sent.fd()),
                        syscalls.inode(message.descriptor().fd()));
            }
        }
    }

    /** The file system behind the files does not answer. FuseTest uses a real one. */
    @Test
    void a_hanging_close_delays_no_caller_and_after_several_no_message_is_accepted() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        Syscalls hanging = (Syscalls) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("close")
                            && Thread.currentThread().getName().startsWith("dmaheap-close-")) {
                        answer.await();
                    }
                    return method.invoke(syscalls, arguments);
                });
        try (Pair pair = new Pair();
                OwnedFd file = OwnedFd.of(syscalls.open("/dev/null", 0), syscalls::close);
                OwnedFd memory = Descriptors.memfd()) {
            ForeignFdCloser closer = ForeignFdCloser.of(pair.server.peer().uid());
            FdSocket receiver = new FdSocket(hanging, SocketCalls.linux(), secondClient(pair));
            for (int i = 0; i < ForeignFdCloser.MOST; i++) {
                pair.server.send(memory, "memory is closed at once");
                receiver.receive().close();
                assertEquals(i, closer.left());
                pair.server.send(file, "a file");
                receiver.receive().close();
                assertEquals(i + 1, closer.left());
            }
            pair.server.send(memory, "one too many");
            FdSocketException refusal = assertThrows(FdSocketException.class, receiver::receive);
            assertEquals(Errno.EBUSY, refusal.errno());
            assertTrue(
                    refusal.getMessage()
                            .startsWith("8 descriptors that processes of user "
                                    + pair.server.peer().uid()),
                    refusal.getMessage());
            answer.countDown();
            for (int i = 0; i < 1000 && closer.left() > 0; i++) {
                Thread.sleep(10);
            }
            assertEquals(0, closer.left());
            try (FdMessage message = receiver.receive()) {
                assertEquals("one too many", message.text(), "it stayed with the kernel");
            }
            receiver.close();
        } finally {
            answer.countDown();
        }
    }

    @Test
    void a_process_of_another_pid_namespace_is_not_called_process_0() {
        assertEquals(
                "a process of another PID namespace, user 1000",
                new PeerCredentials(0, 1000, 1000, Set.of()).toString());
        assertEquals("process 42 of user 1000", new PeerCredentials(42, 1000, 1000, Set.of()).toString());
    }

    @Test
    void at_the_descriptor_limit_nothing_is_left_behind() throws Exception {
        SocketCalls full = failing("socket", Errno.EMFILE);
        FdSocketException e =
                assertThrows(FdSocketException.class, () -> FdListener.bind(syscalls, full, folder.resolve("s")));
        assertEquals(Errno.EMFILE, e.errno());
        assertTrue(e.getMessage().contains("ulimit -n"), e.getMessage());
        assertThrows(
                FdSocketException.class,
                () -> FdListener.bind(syscalls, failing("listen", Errno.EIO), folder.resolve("s")));
        assertFalse(Files.exists(folder.resolve("s")));
        assertThrows(
                FdSocketException.class,
                () -> FdListener.bind(syscalls, failing("fchmod", Errno.EIO), folder.resolve("s")));
    }

    private static void refusedAsRubbish(Pair pair, String what) {
        FdSocketException e = assertThrows(FdSocketException.class, pair.server::receive, what);
        assertEquals(Errno.EPROTO, e.errno(), what);
    }

    /** Connection between two sockets of this process. */
    private final class Pair implements AutoCloseable {
        final FdListener listener = FdListener.bind(folder.resolve("pair"));
        final int raw = FdSocket.open(syscalls, SocketCalls.linux()).detach();
        final FdSocket client;
        final FdSocket server;

        Pair() {
            assertEquals(0, SocketCalls.linux().connect(raw, listener.path().toString()));
            client = new FdSocket(syscalls, SocketCalls.linux(), OwnedFd.of(raw, syscalls::close));
            server = listener.accept(LONG, peer -> true);
        }

        int rawClient() {
            return raw;
        }

        void sendRaw(String text, int... descriptors) {
            sendRaw(text.getBytes(StandardCharsets.UTF_8), descriptors);
        }

        /** Calls sendmsg(2) directly, without the checks of FdSocket. */
        void sendRaw(byte[] text, int... descriptors) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment payload = arena.allocate(text.length);
                MemorySegment.copy(MemorySegment.ofArray(text), 0, payload, 0, text.length);
                MemorySegment control = arena.allocate(16 + 4L * descriptors.length + 8, 8);
                control.set(JAVA_LONG, 0, 16 + 4L * descriptors.length);
                control.set(JAVA_INT, 8, 1);
                control.set(JAVA_INT, 12, 1);
                for (int i = 0; i < descriptors.length; i++) {
                    control.set(JAVA_INT, 16 + 4L * i, descriptors[i]);
                }
                MemorySegment iovec = arena.allocate(16, 8);
                iovec.set(JAVA_LONG, 0, payload.address());
                iovec.set(JAVA_LONG, 8, text.length);
                MemorySegment msghdr = arena.allocate(56, 8);
                msghdr.set(JAVA_LONG, 16, iovec.address());
                msghdr.set(JAVA_LONG, 24, 1);
                if (descriptors.length > 0) {
                    msghdr.set(JAVA_LONG, 32, control.address());
                    msghdr.set(JAVA_LONG, 40, 16 + (4L * descriptors.length + 7 & -8));
                }
                assertEquals(text.length, SocketCalls.linux().send(raw, msghdr));
            }
        }

        @Override
        public void close() {
            client.close();
            server.close();
            listener.close();
        }
    }

    private void abandon(Path path) {
        try (OwnedFd dead = FdSocket.open(syscalls, SocketCalls.linux())) {
            assertEquals(0, SocketCalls.linux().bind(dead.fd(), path.toString()));
        }
    }

    private static SocketCalls failing(String call, Errno errno) {
        Object answer = call.equals("receive") ? (Object) (long) -errno.number() : (Object) (-errno.number());
        return answering(call, Integer.MAX_VALUE, answer);
    }

    private static SocketCalls onceInterrupted() {
        SocketCalls send = answering("send", 1, (long) -Errno.EINTR.number());
        return answering(send, "receive", 1, (long) -Errno.EINTR.number());
    }

    private static SocketCalls answering(String call, int times, Object answer) {
        return answering(SocketCalls.linux(), call, times, answer);
    }

    private static SocketCalls answering(SocketCalls real, String call, int times, Object answer) {
        int[] left = {times};
        return (SocketCalls) Proxy.newProxyInstance(
                SocketCalls.class.getClassLoader(), new Class<?>[] {SocketCalls.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals(call) && left[0]-- > 0) {
                        return answer;
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static boolean isCloseOnExec(int fd) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd)).stream()
                .filter(line -> line.startsWith("flags:"))
                .anyMatch(line -> (Integer.parseInt(line.substring(6).strip(), 8) & 02000000) != 0);
    }
}
