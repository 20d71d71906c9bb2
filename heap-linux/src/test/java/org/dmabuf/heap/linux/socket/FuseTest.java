// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.adopted.AdoptedMemory;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests of a peer that sends a file of its own file system, which never answers: see fuse.py. */
class FuseTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    private final Syscalls syscalls = Syscalls.linux();

    @TempDir
    Path folder;

    private ForeignFdCloser closer;
    private Process peer;

    @BeforeEach
    void need_a_file_system_in_user_space() throws IOException {
        assumeTrue(Files.isWritable(Path.of("/dev/fuse")), "skipped: no /dev/fuse that this user may open");
        int user = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        assumeTrue(user == 0, "skipped: only root mounts");
        closer = ForeignFdCloser.of(user);
    }

    @AfterEach
    void kill_the_peer() throws Exception {
        if (peer != null) {
            assertTrue(peer.destroyForcibly().waitFor(20, TimeUnit.SECONDS));
        }
        if (closer != null) {
            awaitClosed();
        }
    }

    @Test
    void its_descriptor_is_refused_and_closed_without_a_wait() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket socket = connected(listener, 1)) {
            FdMessage message = inTime(socket::receive);
            HeapException refusal = assertThrows(
                    HeapException.class,
                    () -> inTime(() ->
                            AdoptedMemory.adopt(syscalls, Headroom.machine(), true, message.descriptor(), _ -> {})));
            assertEquals(Errno.EBADFD, refusal.errno());
            inTime(() -> {
                message.close();
                return null;
            });
            assertEquals("flush", peer.inputReader().readLine(), "and the close waits for the peer");
            assertEquals(1, closer.left());
        }
    }

    @Test
    void messages_with_too_many_descriptors_are_refused_without_a_wait() throws Exception {
        try (FdListener listener = FdListener.bind(folder.resolve("s"));
                FdSocket socket = connected(listener, 2, 4, 3, 1)) {
            for (int message = 0; message < 3; message++) {
                FdSocketException refusal = assertThrows(FdSocketException.class, () -> inTime(socket::receive));
                assertEquals(Errno.EPROTO, refusal.errno(), refusal.getMessage());
            }
            assertEquals(9, closer.left());
            FdSocketException refusal = assertThrows(FdSocketException.class, () -> inTime(socket::receive));
            assertEquals(Errno.EBUSY, refusal.errno());
            assertTrue(
                    refusal.getMessage().startsWith("9 descriptors that processes of user 0 sent are still being"),
                    refusal.getMessage());
            assertTrue(peer.destroyForcibly().waitFor(20, TimeUnit.SECONDS)); // ends the connection to the file system
            awaitClosed();
            inTime(socket::receive).close();
        }
    }

    private FdSocket connected(FdListener listener, int... counts) throws Exception {
        Path script = folder.resolve("fuse.py");
        try (var source = FuseTest.class.getResourceAsStream("/fuse.py")) {
            Files.write(script, source.readAllBytes());
        }
        List<String> command = new ArrayList<>(List.of(
                "python3",
                "-S",
                script.toString(),
                Files.createDirectory(folder.resolve("mount")).toString(),
                listener.path().toString()));
        for (int count : counts) {
            command.add(Integer.toString(count));
        }
        peer = new ProcessBuilder(command)
                .redirectError(folder.resolve("errors").toFile())
                .start();
        try {
            return listener.accept(LONG, _ -> true);
        } catch (FdSocketException e) {
            assumeTrue(peer.isAlive(), "skipped: " + Files.readString(folder.resolve("errors")));
            throw e;
        }
    }

    private void awaitClosed() throws InterruptedException {
        for (int i = 0; i < 2000 && closer.left() > 0; i++) {
            Thread.sleep(10);
        }
        assertEquals(0, closer.left(), "every descriptor is closed");
    }

    /** Runs an action on a thread that the test does not wait for if it hangs. */
    private static <T> T inTime(Callable<T> call) throws Exception {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                result.complete(call.call());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.get(20, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
