// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Tests with both ends in one process, over the real kernel. */
class PacketSocketTest {
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(50);

    private final Syscalls syscalls = Syscalls.linux();
    private final MemorySegment space = Arena.ofAuto().allocate(64);

    @RegisterExtension
    final Descriptors descriptors = new Descriptors();

    @TempDir
    Path folder;

    @Test
    void a_packet_arrives_as_it_was_sent() {
        try (Pair pair = new Pair(LONG)) {
            pair.client.send(packet(1, 2, 3));
            try (ReceivedPacket received = pair.server.receive(space)) {
                assertEquals(3, received.size());
                assertFalse(received.isCut() || received.hadUnwantedDescriptors());
                assertEquals(List.of(1, 2, 3), bytes(received));
            }
        }
    }

    @Test
    void a_descriptor_comes_with_its_packet() {
        try (Pair pair = new Pair(LONG);
                OwnedFd sent = Descriptors.memfd()) {
            pair.server.send(packet(7), sent);
            try (ReceivedPacket received = pair.client.receiveWithDescriptor(space)) {
                assertEquals(List.of(7), bytes(received));
                OwnedFd descriptor = received.descriptor().orElseThrow();
                assertNotEquals(sent.fd(), descriptor.fd());
                assertEquals(syscalls.inode(sent.fd()), syscalls.inode(descriptor.fd()));
            }
            pair.server.send(packet(8));
            try (ReceivedPacket received = pair.client.receiveWithDescriptor(space)) {
                assertEquals(Optional.empty(), received.descriptor());
            }
        }
    }

    @Test
    void the_kernel_drops_descriptors_that_are_not_accepted() throws Exception {
        try (Pair pair = new Pair(LONG);
                OwnedFd sent = Descriptors.memfd()) {
            List<String> before = Descriptors.open();
            pair.client.send(packet(1), sent);
            try (ReceivedPacket received = pair.server.receive(space)) {
                assertTrue(received.hadUnwantedDescriptors());
                assertEquals(List.of(1), bytes(received));
                assertEquals(before, Descriptors.open());
            }
        }
    }

    @Test
    void the_rest_of_a_long_packet_is_reported_as_lost() {
        try (Pair pair = new Pair(LONG)) {
            pair.client.send(Arena.ofAuto().allocate(65));
            try (ReceivedPacket received = pair.server.receive(space)) {
                assertTrue(received.isCut());
                assertEquals(64, received.size());
            }
        }
    }

    @Test
    void the_end_of_the_connection_has_size_0() {
        try (Pair pair = new Pair(LONG)) {
            pair.client.close();
            assertEquals(0, pair.server.receive(space).size());
            assertEquals(0, pair.server.receiveWithDescriptor(space).size());
        }
    }

    @Test
    void a_packet_to_a_peer_that_left_is_refused() {
        try (Pair pair = new Pair(LONG)) {
            pair.client.close();
            assertEquals(
                    Errno.EPIPE,
                    assertThrows(FdSocketException.class, () -> pair.server.send(packet(1)))
                            .errno());
        }
    }

    @Test
    void an_accepted_connection_waits_for_packets_without_limit_and_sends_with_a_limit() throws Exception {
        try (Pair pair = new Pair(SHORT)) {
            CompletableFuture<Integer> size = new CompletableFuture<>();
            Thread waiting = Thread.ofPlatform()
                    .start(() -> size.complete(pair.server.receive(space).size()));
            assertFalse(waiting.join(SHORT.multipliedBy(4)));
            pair.client.send(packet(1, 2));
            assertEquals(2, size.get(10, TimeUnit.SECONDS));

            MemorySegment large = Arena.ofAuto().allocate(16 * 1024);
            FdSocketException full = assertThrows(FdSocketException.class, () -> {
                while (true) {
                    pair.server.send(large);
                }
            });
            assertEquals(Errno.ETIMEDOUT, full.errno());
        }
    }

    @Test
    void a_client_waits_no_longer_than_its_timeout() {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                PacketSocket client = PacketSocket.connect(listener.path(), SHORT)) {
            assertEquals(
                    Errno.ETIMEDOUT,
                    assertThrows(FdSocketException.class, () -> client.receive(space))
                            .errno());
        }
    }

    @Test
    void a_peer_that_left_is_seen_without_receiving() {
        try (Pair pair = new Pair(LONG)) {
            pair.client.send(packet(1));
            assertFalse(pair.server.hasHungUp());
            pair.client.close();
            assertTrue(pair.server.hasHungUp());
            assertTrue(pair.client.hasHungUp());
        }
    }

    @Test
    void a_waiting_receipt_does_not_delay_the_look_and_ends_with_the_close() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            CompletableFuture<Integer> size = new CompletableFuture<>();
            Thread waiting = Thread.ofPlatform()
                    .start(() -> size.complete(pair.server.receive(space).size()));
            assertFalse(waiting.join(SHORT));
            assertFalse(pair.server.hasHungUp());
            pair.server.close();
            assertEquals(0, size.get(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void a_callers_own_wait_ends_with_a_packet_and_with_the_close() throws Exception {
        try (Pair pair = new Pair(LONG)) {
            assertFalse(pair.server.await(fd -> isReadable(fd, 0)));
            pair.client.send(packet(1));
            assertTrue(pair.server.await(fd -> isReadable(fd, -1)));
            pair.server.receive(space).close();

            CompletableFuture<Boolean> readable = new CompletableFuture<>();
            Thread waiting =
                    Thread.ofPlatform().start(() -> readable.complete(pair.server.await(fd -> isReadable(fd, -1))));
            assertFalse(waiting.join(SHORT));
            pair.server.close();
            assertTrue(readable.get(10, TimeUnit.SECONDS));
            assertThrows(IllegalStateException.class, () -> pair.server.await(fd -> true));
        }
    }

    private boolean isReadable(int fd, int millis) {
        MemorySegment pollfd = Arena.ofAuto().allocate(8, 4);
        pollfd.set(JAVA_INT, 0, fd);
        pollfd.set(JAVA_SHORT, 4, (short) 1); // POLLIN
        return syscalls.poll(pollfd.address(), 1, millis) == 1;
    }

    @Test
    void the_rule_of_a_heap_about_peers_is_kept() {
        try (Pair pair = new Pair(LONG);
                OwnedFd sent = OwnedFd.awaiting(syscalls::close, PeerRule.of("secure", new String[] {"4000000"}))) {
            sent.own(syscalls.memfdCreate("sent", 1));
            assertEquals(
                    Errno.EACCES,
                    assertThrows(FdSocketException.class, () -> pair.server.send(packet(1), sent))
                            .errno());
            pair.server.send(packet(2));
            try (ReceivedPacket received = pair.client.receiveWithDescriptor(space)) {
                assertEquals(List.of(2), bytes(received));
            }
        }
    }

    private static MemorySegment packet(int... bytes) {
        MemorySegment packet = Arena.ofAuto().allocate(bytes.length);
        for (int i = 0; i < bytes.length; i++) {
            packet.set(JAVA_BYTE, i, (byte) bytes[i]);
        }
        return packet;
    }

    private List<Integer> bytes(ReceivedPacket received) {
        return Stream.iterate(0, at -> at + 1)
                .limit(received.size())
                .map(at -> (int) space.get(JAVA_BYTE, at))
                .toList();
    }

    private final class Pair implements AutoCloseable {
        final FdListener listener = FdListener.bind(folder.resolve("pair"));
        final PacketSocket client = PacketSocket.connect(listener.path(), LONG);
        final PacketSocket server;

        Pair(Duration sending) {
            server = listener.acceptPackets(LONG, sending, _ -> true);
        }

        @Override
        public void close() {
            client.close();
            server.close();
            listener.close();
        }
    }
}
