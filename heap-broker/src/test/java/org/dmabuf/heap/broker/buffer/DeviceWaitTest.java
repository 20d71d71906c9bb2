// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.linux.fence.MadeUpFences;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tests of waits for a device, on memfds that the kernel of the test passes off as dma-bufs with fences. */
class DeviceWaitTest {
    private static final long SIZE = 65_536;
    private static final Duration LONG = Duration.ofMinutes(10);
    private static final Duration SHORT = Duration.ofMillis(1);

    private final MadeUpFences kernel = new MadeUpFences();
    private final BrokerParts broker = new BrokerParts(kernel.syscalls);

    @BeforeEach
    void open() {
        broker.memfd("camera");
    }

    @AfterEach
    void each_descriptor_is_closed() {
        broker.close();
        Await.until("a descriptor is open", () -> kernel.open().isEmpty());
        kernel.close();
    }

    private static Errno refusal(DmaBuf buffer, Access access, Duration timeout) {
        return assertThrows(HeapException.class, () -> buffer.awaitDevices(access, timeout))
                .errno();
    }

    @Test
    void a_buffer_that_no_device_can_have_is_not_asked() {
        try (DmaBuf buffer = broker.allocate(SIZE)) {
            buffer.awaitDevices(Access.READ_WRITE, LONG);
            assertEquals(List.of(), kernel.directions());
        }
    }

    @Test
    void an_exported_buffer_is_awaited_even_after_its_descriptor_is_closed() {
        try (DmaBuf buffer = broker.allocate(SIZE)) {
            buffer.exportFd().close();
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.READ, SHORT));
            kernel.signal();
            buffer.awaitDevices(Access.READ, SHORT);
        }
    }

    @Test
    void after_a_timeout_no_cpu_access_has_begun() {
        try (DmaBuf buffer = broker.allocate(SIZE);
                OwnedFd _ = buffer.exportFd()) {
            HeapException timeout = assertThrows(HeapException.class, () -> buffer.beginCpuAccess(Access.WRITE, SHORT));
            assertEquals(Errno.ETIMEDOUT, timeout.errno());
            assertEquals(0, broker.monitor().buffers().getFirst().cpuAccesses());
            kernel.signal();
            try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE, SHORT)) {
                assertEquals(1, broker.monitor().buffers().getFirst().cpuAccesses());
            }
        }
    }

    @Test
    void a_wait_does_not_hold_the_memory_and_outlives_the_reference() throws InterruptedException {
        DmaBuf buffer = broker.allocate(SIZE);
        buffer.exportFd().close();
        AtomicReference<Throwable> end = new AtomicReference<>();
        Thread thread = Thread.ofVirtual().start(() -> {
            try {
                buffer.awaitDevices(Access.READ, LONG);
            } catch (Throwable e) {
                end.set(e);
            }
        });
        Await.until("the thread waits", () -> thread.getState() == Thread.State.TIMED_WAITING);
        buffer.close();
        Await.until("the memory is charged", () -> {
            broker.services.lookForHolders();
            return broker.monitor().buffers().isEmpty();
        });
        assertTrue(thread.isAlive());
        kernel.signal();
        assertTrue(thread.join(Duration.ofSeconds(30)), "the wait has not ended");
        assertEquals(null, end.get());
    }

    @Test
    void an_adopted_buffer_is_awaited_without_an_export() {
        broker.adoption.acceptUnsealed(true);
        try (DmaBuf theirs = broker.allocate(SIZE);
                OwnedFd sent = theirs.exportFd();
                DmaBuf buffer = broker.adoption.adopt(broker.client, sent, "theirs")) {
            assertEquals(Errno.ETIMEDOUT, refusal(buffer, Access.READ, SHORT));
        }
    }

    @Test
    void without_a_descriptor_left_nothing_is_held() {
        try (DmaBuf buffer = broker.allocate(SIZE)) {
            buffer.exportFd().close();
            kernel.fail("export", Errno.EMFILE);
            assertEquals(Errno.EMFILE, refusal(buffer, Access.READ, LONG));
            assertEquals(Set.of(), kernel.open());
        }
        assertEquals(List.of(), broker.monitor().buffers());
    }
}
