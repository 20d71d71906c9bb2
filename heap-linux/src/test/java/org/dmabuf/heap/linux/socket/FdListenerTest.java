// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of files that are already at a listener's path, or appear there meanwhile. */
class FdListenerTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    private final Syscalls syscalls = Syscalls.linux();

    @Test
    void a_path_is_served_while_a_process_has_a_socket_there(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("socket");
        assertFalse(FdListener.isServed(path));
        for (boolean stream : new boolean[] {false, true}) {
            try (FdListener listener = stream ? FdListener.bindStream(path) : FdListener.bind(path)) {
                assertTrue(FdListener.isServed(path), listener::toString);
            }
            assertFalse(FdListener.isServed(path));
        }
        Files.createFile(path);
        assertFalse(FdListener.isServed(path));
        FdSocketException failed =
                assertThrows(FdSocketException.class, () -> FdListener.isServed(path.resolve("below")));
        assertEquals(Errno.ENOTDIR, failed.errno());
    }

    private final SocketCalls sockets = SocketCalls.linux();

    @TempDir
    Path folder;

    @Test
    void a_socket_that_a_dead_process_left_is_replaced_whatever_its_type() throws Exception {
        Path path = folder.resolve("s");
        abandon(path);
        Object before = identity(path);
        try (FdListener listener = FdListener.bind(path)) {
            assertFalse(before.equals(identity(path)));
            reach(listener);
        }
        ServerSocketChannel stream = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        stream.bind(UnixDomainSocketAddress.of(path)).close();
        FdListener.bind(path).close();
        assertEquals(List.of(), files());
    }

    @Test
    void the_socket_is_for_its_owner_unless_a_group_or_all_are_permitted() throws Exception {
        Path path = folder.resolve("s");
        try (FdListener _ = FdListener.bind(path)) {
            assertEquals("rw-------", mode(path));
        }
        int group = isRoot() ? 4711 : (int) Files.getAttribute(folder, "unix:gid");
        try (FdListener listener = FdListener.bindForGroup(path, group)) {
            assertEquals("rw-rw----", mode(path));
            assertEquals(group, Files.getAttribute(path, "unix:gid"));
            reach(listener);
        }
        try (FdListener listener = FdListener.bindForAll(path)) {
            assertEquals("rw-rw-rw-", mode(path));
            reach(listener);
        }
        assertEquals(List.of(), files());
    }

    private static String mode(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    @Test
    void a_group_without_this_user_is_refused_with_a_sentence_and_leaves_no_file() throws Exception {
        assumeTrue(!isRoot(), "skipped: root gives files to any group");
        FdSocketException refused =
                assertThrows(FdSocketException.class, () -> FdListener.bindForGroup(folder.resolve("s"), 0));
        assertEquals(Errno.EPERM, refused.errno());
        assertTrue(refused.getMessage().endsWith("; add this user to the group"), refused.getMessage());
        assertEquals(List.of(), files());
    }

    @Test
    void a_file_that_is_not_a_socket_stays_unchanged() throws Exception {
        Path dead = folder.resolve("dead");
        abandon(dead);
        Path file = Files.writeString(folder.resolve("file"), "precious");
        untouched(file);
        untouched(Files.createDirectory(folder.resolve("empty")));
        Path full = Files.createDirectory(folder.resolve("full"));
        Files.writeString(full.resolve("file"), "precious");
        untouched(full);
        untouched(Files.createSymbolicLink(folder.resolve("link"), file));
        untouched(Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("nothing")));
        untouched(Files.createSymbolicLink(folder.resolve("to a socket"), dead));
        untouched(make("mkfifo", folder.resolve("fifo")));
        assertEquals("precious", Files.readString(file));
        assertEquals("precious", Files.readString(full.resolve("file")));
    }

    @Test
    void the_node_of_a_device_stays_unchanged() throws Exception {
        assumeTrue(isRoot(), "skipped: only root makes nodes of devices");
        untouched(make("mknod", folder.resolve("null"), "c", "1", "3"));
        untouched(make("mknod", folder.resolve("block"), "b", "7", "0"));
    }

    @Test
    void a_socket_that_a_process_holds_stays_whatever_its_type() throws Exception {
        Path listening = folder.resolve("listening");
        try (FdListener listener = FdListener.bind(listening)) {
            untouched(listening);
            reach(listener);
        }
        Path datagrams = folder.resolve("datagrams");
        try (OwnedFd receives = OwnedFd.of(sockets.datagramSocket(), syscalls::close)) {
            assertEquals(0, sockets.bind(receives.fd(), datagrams.toString()));
            untouched(datagrams);
        }
        Path stream = folder.resolve("stream");
        try (ServerSocketChannel listens = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listens.bind(UnixDomainSocketAddress.of(stream));
            untouched(stream);
        }
    }

    @Test
    void a_listener_with_a_full_queue_stays() throws Exception {
        Path path = folder.resolve("s");
        List<FdSocket> waiting = new ArrayList<>();
        try (FdListener _ = FdListener.bind(path)) {
            FdSocketException full = assertThrows(FdSocketException.class, () -> {
                for (int i = 0; i < 100; i++) {
                    waiting.add(FdSocket.connect(path, Duration.ofMillis(20)));
                }
            });
            assertEquals(Errno.ETIMEDOUT, full.errno());
            untouched(path);
        } finally {
            waiting.forEach(FdSocket::close);
        }
    }

    @Test
    void a_socket_that_another_user_left_stays() throws Exception {
        assumeTrue(isRoot(), "skipped: only root gives files away");
        Path path = folder.resolve("s");
        abandon(path);
        Files.setAttribute(path, "unix:uid", 4711, LinkOption.NOFOLLOW_LINKS);
        untouched(path);
    }

    @Test
    void a_file_that_replaces_an_abandoned_socket_meanwhile_stays() throws Exception {
        Path path = folder.resolve("s");
        for (String moment : List.of("connect", "rename")) {
            abandon(path);
            SocketCalls hurried = before(moment, 1, () -> {
                Files.delete(path);
                Files.writeString(path, "precious");
            });
            inUse(() -> FdListener.bind(syscalls, hurried, path));
            assertEquals("precious", Files.readString(path), moment);
            assertEquals(List.of("s"), files());
            Files.delete(path);
        }
    }

    @Test
    void a_listener_that_replaces_an_abandoned_socket_meanwhile_stays_and_is_reachable() throws Exception {
        Path path = folder.resolve("s");
        for (String moment : List.of("connect", "rename")) {
            abandon(path);
            List<FdListener> other = new ArrayList<>();
            SocketCalls hurried = before(moment, 1, () -> {
                Files.delete(path);
                other.add(FdListener.bind(path));
            });
            inUse(() -> FdListener.bind(syscalls, hurried, path));
            reach(other.getFirst());
            other.getFirst().close();
            assertEquals(List.of(), files());
        }
    }

    /** Two files appear at the path, one before and one after it is moved aside. One of them cannot be put back. */
    @Test
    void a_file_that_cannot_be_put_back_is_kept_and_the_refusal_names_its_path() throws Exception {
        Path path = folder.resolve("s");
        abandon(path);
        SocketCalls hurried = before(
                before("rename", 1, () -> {
                    Files.delete(path);
                    Files.writeString(path, "precious");
                }),
                "rename",
                2,
                () -> Files.writeString(path, "also precious"));
        FdSocketException refusal =
                assertThrows(FdSocketException.class, () -> FdListener.bind(syscalls, hurried, path));
        assertEquals(Errno.EEXIST, refusal.errno());
        assertEquals("also precious", Files.readString(path));
        String kept =
                files().stream().filter(file -> !file.equals("s")).findFirst().orElseThrow();
        assertEquals("precious", Files.readString(folder.resolve(kept)));
        assertTrue(refusal.getMessage().contains(folder.resolve(kept).toString()), refusal.getMessage());
    }

    @Test
    void of_concurrent_listeners_on_an_abandoned_socket_one_gets_the_address() throws Exception {
        Path path = folder.resolve("s");
        int threads = 4;
        try (ExecutorService all = Executors.newFixedThreadPool(threads)) {
            for (int round = 0; round < 50; round++) {
                abandon(path);
                List<Callable<FdListener>> binds = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    binds.add(() -> bindOrNull(path));
                }
                List<FdListener> bound = new ArrayList<>();
                for (Future<FdListener> one : all.invokeAll(binds)) {
                    if (one.get() != null) {
                        bound.add(one.get());
                    }
                }
                assertEquals(1, bound.size());
                reach(bound.getFirst());
                bound.getFirst().close();
                assertEquals(List.of(), files());
            }
        }
    }

    private static FdListener bindOrNull(Path path) {
        try {
            return FdListener.bind(path);
        } catch (FdSocketException e) {
            assertEquals(Errno.EADDRINUSE, e.errno(), e.getMessage());
            return null;
        }
    }

    @Test
    void closing_leaves_a_foreign_file_at_the_path() throws Exception {
        Path path = folder.resolve("s");
        FdListener first = FdListener.bind(path);
        Files.delete(path);
        try (FdListener second = FdListener.bind(path)) {
            Object before = identity(path);
            first.close();
            assertEquals(before, identity(path));
            reach(second);
        }
        FdListener third = FdListener.bind(path);
        Files.delete(path);
        abandon(path);
        third.close();
        assertTrue(Files.exists(path), "another abandoned socket, which is foreign");
    }

    @Test
    void closing_leaves_a_file_that_appears_while_the_own_file_is_removed() throws Exception {
        Path path = folder.resolve("s");
        FdListener listener = FdListener.bind(
                syscalls,
                before("rename", 1, () -> {
                    Files.delete(path);
                    Files.writeString(path, "precious");
                }),
                path);
        listener.close();
        assertEquals("precious", Files.readString(path));
        assertEquals(List.of("s"), files());
    }

    @Test
    void closing_removes_its_file_from_a_folder_that_was_renamed() throws Exception {
        Path before = Files.createDirectory(folder.resolve("before"));
        FdListener listener = FdListener.bind(before.resolve("s"));
        Path after = Files.move(before, folder.resolve("after"));
        Files.createDirectory(before);
        Files.writeString(before.resolve("s"), "precious");
        listener.close();
        assertFalse(Files.exists(after.resolve("s")));
        assertEquals("precious", Files.readString(before.resolve("s")));
    }

    /** When listen fails, the kernel has already bound the socket. A file that is at the path by then is foreign. */
    @Test
    void a_failing_listener_leaves_foreign_files() throws Exception {
        Path path = folder.resolve("s");
        SocketCalls failing = (SocketCalls) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {SocketCalls.class}, (_, method, arguments) -> {
                    if (method.getName().equals("listen")) {
                        Files.delete(path);
                        Files.writeString(path, "precious");
                        return -Errno.EIO.number();
                    }
                    return method.invoke(sockets, arguments);
                });
        assertThrows(FdSocketException.class, () -> FdListener.bind(syscalls, failing, path));
        assertEquals("precious", Files.readString(path));
    }

    @Test
    void a_locked_folder_blocks_a_call_for_a_limited_time() throws Exception {
        Path path = folder.resolve("s");
        abandon(path);
        try (OwnedFd locked = OwnedFd.of(syscalls.open(folder.toString(), 0), syscalls::close)) {
            assertEquals(0, sockets.lock(locked.fd()));
            untouched(path);
            FdListener.bind(folder.resolve("other")).close(); // leaves its file behind
        }
        FdListener.bind(path).close();
        FdListener.bind(folder.resolve("other")).close();
        assertEquals(List.of(), files());
    }

    @Test
    void invalid_paths_of_sockets_are_refused_with_a_sentence() throws Exception {
        for (String path : List.of("", "/", ".", "..", folder + "/..")) {
            assertEquals(Errno.EINVAL, refusal(Path.of(path)).errno(), path);
        }
        String start = folder + "/";
        Path longest = Path.of(start + "x".repeat(107 - start.length()));
        try (FdListener listener = FdListener.bind(longest)) {
            reach(listener);
        }
        FdSocketException tooLong = refusal(Path.of(longest + "x"));
        assertEquals(Errno.ENAMETOOLONG, tooLong.errno());
        assertTrue(tooLong.getMessage().endsWith("has 108 bytes; a socket's path has at most 107"));
        FdSocketException nowhere = refusal(folder.resolve("no\nfolder/s"));
        assertEquals(Errno.ENOENT, nowhere.errno());
        assertTrue(nowhere.getMessage().contains("no\\u000afolder of a socket cannot be opened"), nowhere.getMessage());
        Files.writeString(folder.resolve("file"), "");
        assertEquals(Errno.ENOTDIR, refusal(folder.resolve("file/s")).errno());
        assertEquals(List.of("file"), files());
    }

    private static FdSocketException refusal(Path path) {
        return assertThrows(FdSocketException.class, () -> FdListener.bind(path));
    }

    private void untouched(Path path) throws IOException {
        Object before = identity(path);
        List<String> files = files();
        inUse(() -> FdListener.bind(path));
        assertEquals(before, identity(path));
        assertEquals(files, files());
    }

    private static void inUse(Callable<FdListener> bind) {
        FdSocketException refusal = assertThrows(FdSocketException.class, bind::call);
        assertEquals(Errno.EADDRINUSE, refusal.errno(), refusal.getMessage());
    }

    private static void reach(FdListener listener) {
        try (FdSocket client = FdSocket.connect(listener.path(), LONG);
                FdSocket server = listener.accept(LONG, _ -> true)) {
            assertEquals(client.peer().pid(), server.peer().pid());
        }
    }

    private void abandon(Path path) {
        try (OwnedFd dead = FdSocket.open(syscalls, sockets)) {
            assertEquals(0, sockets.bind(dead.fd(), path.toString()));
        }
    }

    private static Path make(String command, Path path, String... arguments) throws Exception {
        List<String> words = new ArrayList<>(List.of(command, path.toString()));
        words.addAll(List.of(arguments));
        int made = new ProcessBuilder(words).inheritIO().start().waitFor();
        assumeTrue(made == 0, "skipped: " + words + " is not permitted here");
        return path;
    }

    private static boolean isRoot() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
    }

    private static Map<String, Object> identity(Path path) throws IOException {
        return Files.readAttributes(path, "unix:dev,ino,mode,nlink", LinkOption.NOFOLLOW_LINKS);
    }

    private List<String> files() throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private interface Deed {
        void done() throws IOException;
    }

    private SocketCalls before(String call, int number, Deed deed) {
        return before(sockets, call, number, deed);
    }

    /** Calls that let another process act before the call of a given number. */
    private static SocketCalls before(SocketCalls real, String call, int number, Deed deed) {
        int[] left = {number};
        return (SocketCalls) Proxy.newProxyInstance(
                FdListenerTest.class.getClassLoader(), new Class<?>[] {SocketCalls.class}, (_, method, arguments) -> {
                    if (method.getName().equals(call) && --left[0] == 0) {
                        try {
                            deed.done();
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
