// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.syscall.CountedSyscalls;
import org.junit.jupiter.api.Test;

class ForeignFdTest {
    private static final int NUMBER = 1_000_000;
    private static final int USER = 1_100_000_000; // does not exist on this machine

    private final BlockingQueue<String> closedOn = new LinkedBlockingQueue<>();
    private final CountedSyscalls syscalls = new CountedSyscalls().answerEach("close", () -> {
        closedOn.add(Thread.currentThread().getName());
        return 0;
    });

    private OwnedFd descriptor() {
        OwnedFd descriptor = new ForeignFd(syscalls.calling(), ForeignFdCloser.of(USER)).descriptor();
        descriptor.own(NUMBER);
        return descriptor;
    }

    @Test
    void memory_is_closed_at_once_and_once() {
        syscalls.answer("fcntl", 0); // it has seals
        OwnedFd descriptor = descriptor();
        assertEquals(NUMBER, descriptor.fd());
        descriptor.close();
        descriptor.close();
        assertEquals(List.of(Thread.currentThread().getName()), List.copyOf(closedOn));
        assertThrows(IllegalStateException.class, descriptor::fd);
    }

    @Test
    void a_descriptor_that_is_not_known_as_memory_is_closed_on_another_thread() throws InterruptedException {
        syscalls.answer("fcntl", -Errno.EINVAL.number());
        for (int isDmaBuf : new int[] {0, -Errno.EMFILE.number()}) {
            syscalls.answer("isDmaBuf", isDmaBuf);
            descriptor().close();
            assertEquals("dmaheap-close-" + USER, closedOn.poll(1, TimeUnit.MINUTES));
        }
        syscalls.answerEach("isDmaBuf", () -> {
            throw new OutOfMemoryError("made up");
        });
        descriptor().close();
        assertEquals("dmaheap-close-" + USER, closedOn.poll(1, TimeUnit.MINUTES));
    }

    @Test
    void a_dma_buf_is_memory() {
        syscalls.answer("fcntl", -Errno.EINVAL.number()).answer("isDmaBuf", 1);
        descriptor().close();
        assertEquals(Thread.currentThread().getName(), closedOn.poll());
    }

    @Test
    void a_detached_descriptor_belongs_to_the_caller() {
        OwnedFd descriptor = descriptor();
        assertEquals(NUMBER, descriptor.detach());
        descriptor.close();
        assertEquals(0, syscalls.count("close"));
    }
}
