// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.Test;

/** Tests with a number that is not a descriptor, and with system calls that are only recorded. */
class GuardedSocketTest {
    private static final int NUMBER = 1_000_000;

    private final List<String> calls = new CopyOnWriteArrayList<>();
    private final GuardedSocket socket = new GuardedSocket(
            noted(SocketCalls.class, () -> {}), OwnedFd.of(NUMBER, noted(Syscalls.class, () -> {})::close));

    private <T> T noted(Class<T> type, Runnable then) {
        return type.cast(
                Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) -> {
                    calls.add(method.getName() + " " + arguments[0]);
                    then.run();
                    return 0;
                }));
    }

    @Test
    void a_call_gets_the_number_and_returns_its_result() {
        assertEquals(2L * NUMBER, socket.call(fd -> 2L * fd));
    }

    @Test
    void it_is_shut_down_and_then_closed_once() {
        assertTrue(socket.closeOnce());
        assertFalse(socket.closeOnce());
        socket.close();
        assertEquals(List.of("shutdown " + NUMBER, "close " + NUMBER), calls);
    }

    @Test
    void no_call_is_made_on_a_closed_socket() {
        socket.close();
        IllegalStateException refusal =
                assertThrows(IllegalStateException.class, () -> socket.call(fd -> calls.add("call") ? 1 : 0));
        assertEquals("the socket is closed", refusal.getMessage());
        assertFalse(calls.contains("call"));
    }

    @Test
    void the_number_is_closed_after_a_waiting_call_has_returned() throws Exception {
        CountDownLatch shutDown = new CountDownLatch(1);
        CountDownLatch inCall = new CountDownLatch(1);
        GuardedSocket waited = new GuardedSocket(
                noted(SocketCalls.class, shutDown::countDown),
                OwnedFd.of(NUMBER, noted(Syscalls.class, () -> {})::close));
        Thread closer = Thread.ofPlatform().unstarted(waited::close);
        FutureTask<Long> call = new FutureTask<>(() -> waited.call(fd -> {
            inCall.countDown();
            await(shutDown);
            while (!EnumSet.of(Thread.State.WAITING, Thread.State.TERMINATED).contains(closer.getState())) {
                Thread.onSpinWait();
            }
            calls.add("returns");
            return fd;
        }));
        Thread.ofPlatform().start(call);
        await(inCall);
        closer.start();
        call.get();
        closer.join();
        assertEquals(List.of("shutdown " + NUMBER, "returns", "close " + NUMBER), calls);
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
