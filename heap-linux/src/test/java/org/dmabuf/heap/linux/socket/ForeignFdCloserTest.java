// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests with descriptors whose file system answers when the test permits it. */
class ForeignFdCloserTest {
    /** A user number that does not exist here. Each test has its own, because a user's closer is permanent. */
    private static final AtomicInteger USERS = new AtomicInteger(1_000_000_000);

    private final int user = USERS.incrementAndGet();
    private final ForeignFdCloser disposal = ForeignFdCloser.of(user);
    private final CountDownLatch answers = new CountDownLatch(1);
    private final List<String> closedOn = new CopyOnWriteArrayList<>();
    private final CountedSyscalls syscalls = new CountedSyscalls()
            .answer("fcntl", -Errno.EINVAL.number()) // the file has no seals
            .answer("isDmaBuf", 0)
            .answerEach("close", () -> {
                await(answers);
                closedOn.add(Thread.currentThread().getName());
                return 0;
            });

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(1, TimeUnit.MINUTES));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void closeForeign() {
        OwnedFd descriptor = new ForeignFd(syscalls.calling(), disposal).descriptor();
        descriptor.own(1_000_000);
        descriptor.close();
        descriptor.close(); // does nothing
    }

    @AfterEach
    void nothing_is_left() {
        answers.countDown();
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (disposal.left() > 0) {
            assertTrue(System.nanoTime() < end, "descriptors are left");
            Thread.onSpinWait();
        }
    }

    @Test
    void each_user_has_one_closer() {
        assertSame(disposal, ForeignFdCloser.of(user));
        assertNotSame(disposal, ForeignFdCloser.of(user + 1));
    }

    @Test
    void a_descriptor_that_may_hang_is_closed_on_another_thread() {
        closeForeign();
        assertEquals(1, disposal.left());
        assertEquals(List.of(), closedOn);
        nothing_is_left();
        assertEquals(List.of("dmaheap-close-" + user), closedOn);
    }

    @Test
    void at_the_limit_of_pending_closes_no_message_of_the_user_is_accepted() {
        for (int i = 0; i < ForeignFdCloser.MOST; i++) {
            disposal.requireRoom();
            closeForeign();
        }
        FdSocketException refusal = assertThrows(FdSocketException.class, disposal::requireRoom);
        assertEquals(Errno.EBUSY, refusal.errno());
        assertTrue(
                refusal.getMessage().startsWith("8 descriptors that processes of user " + user), refusal::getMessage);
        assertDoesNotThrow(ForeignFdCloser.of(USERS.incrementAndGet())::requireRoom);
        nothing_is_left();
        assertDoesNotThrow(disposal::requireRoom);
        assertEquals(ForeignFdCloser.MOST, closedOn.size());
    }

    @Test
    void its_thread_ends_with_the_last_close_and_the_next_close_starts_another() {
        answers.countDown();
        for (int i = 1; i <= 3; i++) {
            closeForeign();
            nothing_is_left();
            assertEquals(i, closedOn.size());
        }
    }
}
