// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;
import org.dmabuf.heap.gateway.control.wire.User;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BoundSocketTest {
    @TempDir
    Path top;

    private Path path;

    @BeforeEach
    void choosePath() {
        path = top.resolve("own/control");
    }

    @Test
    void the_socket_is_private_in_its_own_folder_and_is_removed_at_the_end() throws IOException {
        BoundSocket socket = open(true);
        try (socket) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path.getParent())));
            connect();
        }
        assertFalse(Files.exists(path));
        assertEquals(0, Files.list(path.getParent()).count());
    }

    @Test
    void the_socket_of_an_ended_process_is_replaced() throws IOException {
        leaveStale();
        try (BoundSocket socket = open(false)) {
            connect();
            assertEquals(path, socket.path());
        }
    }

    @Test
    void a_socket_on_which_a_process_listens_is_left_alone() throws IOException {
        try (BoundSocket socket = open(true)) {
            assertThrows(BoundSocket.InUseException.class, () -> open(true));
            connect();
            assertEquals(path, socket.path());
        }
    }

    @Test
    void of_two_gateways_that_open_at_once_one_listens_and_the_other_is_refused() throws Exception {
        Files.createDirectories(path.getParent());
        try (ExecutorService gateways = Executors.newFixedThreadPool(2)) {
            for (int round = 0; round < 200; round++) {
                if (round % 2 == 1) {
                    leaveStale();
                }
                CyclicBarrier together = new CyclicBarrier(2);
                List<Future<Optional<BoundSocket>>> opening = new ArrayList<>();
                for (int process = 1; process <= 2; process++) {
                    int number = process;
                    opening.add(gateways.submit(() -> {
                        together.await();
                        return openUnlessUsed(number);
                    }));
                }
                List<BoundSocket> opened = new ArrayList<>();
                for (Future<Optional<BoundSocket>> one : opening) {
                    one.get().ifPresent(opened::add);
                }
                assertEquals(1, opened.size());
                try (BoundSocket _ = opened.get(0)) {
                    connect();
                    assertEquals(1, Files.list(path.getParent()).count());
                }
            }
        }
    }

    private Optional<BoundSocket> openUnlessUsed(int process) throws IOException {
        try {
            return Optional.of(BoundSocket.open(new SocketPlace(path, false), User.own(), process));
        } catch (BoundSocket.InUseException e) {
            return Optional.empty();
        }
    }

    @Test
    void a_file_other_than_a_socket_is_left_alone() throws IOException {
        Files.createDirectories(path.getParent());
        Files.writeString(path, "precious");
        refused("the path is taken by a file that is not a socket");
        assertEquals("precious", Files.readString(path));
    }

    @Test
    void a_link_to_a_socket_is_left_alone() throws IOException {
        leaveStale();
        Path elsewhere = top.resolve("elsewhere");
        Files.move(path, elsewhere);
        Files.createSymbolicLink(path, elsewhere);
        refused("the path is taken by a file that is not a socket");
        assertTrue(Files.exists(elsewhere, LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    void a_socket_of_another_user_is_left_alone() throws IOException {
        assumeTrue(User.own() == 0, "skipped: only root can give a file away; run the tests as root");
        leaveStale();
        Files.setAttribute(path, "unix:uid", 12345, LinkOption.NOFOLLOW_LINKS);
        refused("the path is taken by a socket of another user, number 12345");
        assertTrue(Files.exists(path, LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    void a_folder_of_another_user_is_not_used() throws IOException {
        assumeTrue(User.own() == 0, "skipped: only root can give a folder away; run the tests as root");
        Files.createDirectories(path.getParent());
        Files.setPosixFilePermissions(path.getParent(), PosixFilePermissions.fromString("rwx------"));
        Files.setAttribute(path.getParent(), "unix:uid", 12345);
        for (boolean own : new boolean[] {true, false}) {
            FileSystemException e = assertThrows(FileSystemException.class, () -> open(own));
            assertEquals("it belongs to another user, number 12345", e.getReason());
        }
        assertEquals(0, Files.list(path.getParent()).count());
    }

    @Test
    void a_folder_that_others_may_change_is_not_used() throws IOException {
        Files.createDirectories(path.getParent());
        Files.setPosixFilePermissions(path.getParent(), PosixFilePermissions.fromString("rwxrwx---"));
        assertThrows(FileSystemException.class, () -> open(true));
        assertThrows(FileSystemException.class, () -> open(false));
        assertEquals(0, Files.list(path.getParent()).count());
    }

    @Test
    void a_link_is_not_accepted_as_the_folder() throws IOException {
        Files.createDirectory(
                top.resolve("mine"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.createSymbolicLink(top.resolve("own"), top.resolve("mine"));
        FileSystemException e = assertThrows(FileSystemException.class, () -> open(true));
        assertEquals("it is not a folder", e.getReason());
    }

    @Test
    void a_path_that_is_too_long_for_a_socket_is_refused_with_a_sentence() throws IOException {
        path = top.resolve("x".repeat(120));
        FileSystemException e = assertThrows(FileSystemException.class, () -> open(false));
        assertTrue(e.getReason().startsWith("a socket's path has at most 107 bytes"), e.getReason());
    }

    @Test
    void the_socket_of_another_gateway_is_not_removed() throws IOException {
        try (BoundSocket first = open(true)) {
            Files.delete(first.path());
            leaveStale();
        }
        assertTrue(Files.exists(path, LinkOption.NOFOLLOW_LINKS));
    }

    private BoundSocket open(boolean ownFolder) throws IOException {
        return BoundSocket.open(new SocketPlace(path, ownFolder), User.own());
    }

    private void refused(String reason) {
        FileSystemException e = assertThrows(FileSystemException.class, () -> open(false));
        assertEquals(reason, e.getReason());
    }

    private void leaveStale() throws IOException {
        Files.createDirectories(path.getParent());
        try (ServerSocketChannel ended = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            ended.bind(UnixDomainSocketAddress.of(path));
        }
    }

    private void connect() throws IOException {
        try (SocketChannel client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            client.connect(UnixDomainSocketAddress.of(path));
        }
    }
}
