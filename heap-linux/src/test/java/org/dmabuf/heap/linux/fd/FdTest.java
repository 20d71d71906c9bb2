// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.fd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.junit.jupiter.api.Test;

class FdTest {
    /** No descriptor has this number: each close is answered here. */
    private static final int NUMBER = 1 << 20;

    private final CountedSyscalls syscalls = new CountedSyscalls().answer("close", 0);
    private final Fd fd = new Fd(syscalls.calling(), NUMBER);

    @Test
    void closing_twice_closes_once() {
        assertEquals(NUMBER, fd.fd());
        fd.close();
        fd.close();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void a_close_that_was_interrupted_is_not_repeated() {
        syscalls.answer("close", -Errno.EINTR.number());
        fd.close();
        fd.close();
        assertEquals(1, syscalls.count("close"));
    }

    @Test
    void threads_that_close_at_once_close_once() throws InterruptedException {
        Fd[] fds = new Fd[20_000]; // enough to meet in the few nanoseconds where it could go wrong
        Arrays.setAll(fds, i -> new Fd(syscalls.calling(), NUMBER));
        AtomicInteger arrived = new AtomicInteger();
        Thread[] threads = new Thread[2];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofPlatform().start(() -> {
                for (int n = 0; n < fds.length; n++) {
                    arrived.incrementAndGet();
                    for (int spins = 0; arrived.get() < threads.length * (n + 1); spins++) {
                        if (spins < 1_000) {
                            Thread.onSpinWait();
                        } else {
                            Thread.yield(); // the other one may need this processor
                        }
                    }
                    fds[n].close();
                }
            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(fds.length, syscalls.count("close"));
    }

    @Test
    void a_detached_number_is_the_takers_to_close() {
        assertEquals(NUMBER, fd.detach());
        fd.close();
        assertEquals(0, syscalls.count("close"));
    }

    @Test
    void a_closed_or_detached_descriptor_has_no_number() {
        fd.close();
        assertThrows(IllegalStateException.class, fd::fd);
        assertThrows(IllegalStateException.class, fd::detach);

        Fd detached = new Fd(syscalls.calling(), NUMBER);
        detached.detach();
        assertThrows(IllegalStateException.class, detached::fd);
        assertThrows(IllegalStateException.class, detached::detach);
    }

    @Test
    void an_error_number_is_no_descriptor() {
        assertThrows(IllegalArgumentException.class, () -> new Fd(syscalls.calling(), -Errno.EMFILE.number()));
    }
}
