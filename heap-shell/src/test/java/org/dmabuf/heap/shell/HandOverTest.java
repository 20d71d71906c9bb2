// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of the hand-over between two threads over real sockets. */
class HandOverTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private final HandOver handOver = new HandOver(null);
    private Path socket;
    private int own;

    @BeforeEach
    void name() throws IOException {
        socket = folder.resolve("s");
        own = UserDatabase.ownUser();
    }

    /** Returns a buffer of a heap with this list of users; a heap without a list if it is empty. */
    private static HeldBuffer buffer(Optional<List<Integer>> peers) {
        Syscalls calls = Syscalls.linux();
        DmaBuf buffer = (DmaBuf) Proxy.newProxyInstance(
                DmaBuf.class.getClassLoader(), new Class<?>[] {DmaBuf.class}, (proxy, method, arguments) -> {
                    OwnedFd owner =
                            OwnedFd.awaiting(calls::close, peers.flatMap(users -> PeerRule.of("secure", users)));
                    owner.own(calls.memfdCreate("x", 1));
                    return owner;
                });
        return new HeldBuffer(buffer, 12);
    }

    private static HeldBuffer buffer() {
        return buffer(Optional.empty());
    }

    private static Peers peers(Map<String, String> options) throws IOException {
        return Peers.of(new Line(options, List.of(), false), UserDatabase.local());
    }

    /** Receives one message from a process that connects. */
    private CompletableFuture<String> listening(Path path) {
        return Gogo.meanwhile(() -> {
            try (FdListener listener = FdListener.bind(path);
                    FdSocket connection = listener.accept(LONG, peer -> true);
                    FdMessage message = connection.receive()) {
                return message.text();
            }
        });
    }

    @Test
    void a_buffer_is_sent_to_a_process_that_begins_to_listen_later() throws Exception {
        CompletableFuture<PeerCredentials> sent =
                Gogo.meanwhile(() -> handOver.send(buffer(), "frame", socket, peers(Map.of()), LONG));
        Thread.sleep(300); // long enough to find that no file exists
        assertEquals("dmaheap 1 12 frame", listening(socket).get(20, TimeUnit.SECONDS));
        assertEquals(
                ProcessHandle.current().pid(), sent.get(20, TimeUnit.SECONDS).pid());
    }

    @Test
    void a_buffer_is_not_sent_to_a_process_of_another_user() throws Exception {
        try (FdListener _ = FdListener.bind(socket)) {
            Peers others = peers(Map.of("to", Integer.toUnsignedString(own + 1)));
            String refusal = assertThrows(
                            CommandFailure.class, () -> handOver.send(buffer(), "frame", socket, others, LONG))
                    .getMessage();
            assertTrue(
                    refusal.startsWith("process " + ProcessHandle.current().pid() + " of user " + own + " listens on "
                            + socket + ", but the buffer is for user "),
                    refusal);
        }
    }

    @Test
    void a_buffer_is_sent_to_the_users_of_the_heaps_list_without_an_option() throws Exception {
        CompletableFuture<String> came = listening(socket);
        handOver.send(buffer(Optional.of(List.of(own))), "key", socket, peers(Map.of()), LONG);
        assertEquals("dmaheap 1 12 key", came.get(20, TimeUnit.SECONDS));
        try (FdListener _ = FdListener.bind(socket)) {
            HeldBuffer anothers = buffer(Optional.of(List.of(own + 1)));
            assertThrows(CommandFailure.class, () -> handOver.send(anothers, "key", socket, peers(Map.of()), LONG));
        }
    }

    @Test
    void a_buffer_that_no_process_may_receive_is_refused_before_a_socket_is_made() throws Exception {
        for (Optional<List<Integer>> users : List.of(Optional.of(List.<Integer>of()), Optional.of(List.of(own + 1)))) {
            String refusal = assertThrows(
                            IllegalArgumentException.class,
                            () -> handOver.share(buffer(users), "key", socket, peers(Map.of()), LONG))
                    .getMessage();
            assertTrue(refusal.startsWith("heap 'secure' permits no process of user "), refusal);
            assertTrue(refusal.contains("add a user to heap.peers"), refusal);
            assertTrue(Files.notExists(socket));
        }
        assertThrows(
                IllegalArgumentException.class,
                () -> handOver.send(buffer(Optional.of(List.of())), "key", socket, peers(Map.of()), LONG));
    }

    @Test
    void a_process_of_the_group_that_is_named_gets_it() throws Exception {
        int group = (int) Files.getAttribute(Path.of("/proc/self"), "unix:gid");
        Peers groups = peers(Map.of("to-group", Integer.toUnsignedString(group)));
        CompletableFuture<PeerCredentials> sent =
                Gogo.meanwhile(() -> handOver.share(buffer(), "frame", socket, groups, LONG));
        while (Files.notExists(socket)) {
            Thread.sleep(5);
        }
        try (FdSocket peer = connected();
                FdMessage message = peer.receive(LONG)) {
            assertEquals("dmaheap 1 12 frame", message.text());
        }
        assertEquals(group, sent.get(20, TimeUnit.SECONDS).gid());
        assertTrue(Files.notExists(socket));
    }

    private FdSocket connected() throws InterruptedException {
        while (true) {
            try {
                return FdSocket.connect(socket, LONG);
            } catch (RuntimeException e) {
                Thread.sleep(5); // it does not listen yet
            }
        }
    }

    @Test
    void a_path_without_a_listener_and_a_socket_of_another_type_are_refused_with_a_sentence() throws Exception {
        String nothing = assertThrows(
                        CommandFailure.class, () -> handOver.receive(socket, Duration.ofMillis(1), theirs -> "x"))
                .getMessage();
        assertEquals(
                "connect to " + socket + " failed: no such file or directory; start a process that listens there, or"
                        + " wait longer with --timeout",
                nothing);
        try (ServerSocketChannel stream = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            stream.bind(UnixDomainSocketAddress.of(socket));
            String refusal = assertThrows(CommandFailure.class, () -> handOver.receive(socket, LONG, theirs -> "x"))
                    .getMessage();
            assertTrue(refusal.endsWith("use SOCK_SEQPACKET"), refusal);
        }
    }

    @Test
    void both_options_for_peers_at_once_are_refused() {
        assertEquals(
                "give --to or --to-group, not both",
                assertThrows(IllegalArgumentException.class, () -> peers(Map.of("to", "0", "to-group", "0")))
                        .getMessage());
    }
}
