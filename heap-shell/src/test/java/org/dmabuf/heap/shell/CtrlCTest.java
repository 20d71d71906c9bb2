// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CtrlCTest {
    @TempDir
    Path folder;

    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 8L << 20));
    private final CountDownLatch allocating = new CountDownLatch(1);

    @AfterEach
    void everythingIsGivenBack() {
        broker.requireNothingOpen();
        broker.close();
    }

    /** Broker that is interrupted while it allocates, and then either refuses or returns a buffer. */
    private HeapBroker interrupted(boolean inVain) {
        return (HeapBroker) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {HeapBroker.class}, (proxy, method, arguments) -> {
                    DmaBuf made = inVain ? (DmaBuf) method.invoke(broker, arguments) : null;
                    allocating.countDown();
                    while (!Thread.currentThread().isInterrupted()) {
                        Thread.onSpinWait();
                    }
                    if (!inVain) {
                        throw HeapException.of(Errno.EINTR, "system", "the thread was interrupted");
                    }
                    return made;
                });
    }

    private static CompletableFuture<String> refusal(Gogo gogo, String line) {
        return Gogo.meanwhile(() -> gogo.refusal(line));
    }

    @Test
    void ends_an_allocation_with_a_sentence_and_nothing_is_held() throws Exception {
        endsAnAllocation(false);
    }

    @Test
    void closes_a_buffer_that_was_allocated_at_that_moment() throws Exception {
        endsAnAllocation(true);
    }

    private void endsAnAllocation(boolean inVain) throws Exception {
        try (Gogo gogo = new Gogo(interrupted(inVain))) {
            Terminal terminal = gogo.onTerminal();
            Terminal.SignalHandler shell = signal -> {};
            terminal.handle(Signal.INT, shell);
            CompletableFuture<String> message = refusal(gogo, "dmaheap:alloc -n one 4K");
            allocating.await();
            terminal.raise(Signal.INT);
            assertEquals(
                    "dmaheap:alloc was interrupted; the shell's buffers are unchanged",
                    message.get(10, TimeUnit.SECONDS));
            assertEquals("", gogo.run("dmaheap:buffers"));
            assertEquals(shell, terminal.handle(Signal.INT, shell), "the shell's handler is restored");
        }
    }

    @Test
    void ends_the_wait_for_a_process_and_removes_the_socket() throws Exception {
        try (Gogo gogo = new Gogo(broker)) {
            Terminal terminal = gogo.onTerminal();
            gogo.run("dmaheap:alloc -n one 4K");
            Path socket = folder.resolve("s");
            CompletableFuture<String> message = refusal(gogo, "dmaheap:share one " + socket);
            while (Files.notExists(socket)) {
                Thread.sleep(5);
            }
            terminal.raise(Signal.INT);
            assertEquals(
                    "dmaheap:share was interrupted; the shell's buffers are unchanged",
                    message.get(10, TimeUnit.SECONDS));
            assertTrue(Files.notExists(socket));
            gogo.run("dmaheap:free one");
        }
    }

    @Test
    void a_command_in_the_background_leaves_ctrl_c_to_the_shell() throws Exception {
        try (Gogo gogo = new Gogo(interrupted(false))) {
            Terminal terminal = gogo.onTerminal();
            CountDownLatch shells = new CountDownLatch(1);
            terminal.handle(Signal.INT, signal -> shells.countDown());
            gogo.session().execute("dmaheap:alloc 4K &");
            allocating.await();
            terminal.raise(Signal.INT);
            assertTrue(shells.await(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void a_wait_is_reported_on_a_terminal_only() throws Exception {
        try (Gogo gogo = new Gogo(interrupted(false))) {
            Terminal terminal = gogo.onTerminal();
            CompletableFuture<String> message = refusal(gogo, "dmaheap:alloc -n one 4M");
            while (gogo.said().isEmpty()) {
                Thread.sleep(10);
            }
            assertEquals("allocating 4 MiB; Ctrl-C cancels", gogo.said().strip());
            terminal.raise(Signal.INT);
            message.get(10, TimeUnit.SECONDS);
        }
    }
}
