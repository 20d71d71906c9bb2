// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.UsageSnapshot;
import org.dmabuf.heap.broker.buffer.BufferReference;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of charges for a closed buffer whose descriptor was exported. The peers are in this process too. */
class LingeringTest {
    private static final long SIZE = 8192;

    private final ProcessState before = ProcessState.now();
    private final FaultySyscalls kernel = new FaultySyscalls(Syscalls.linux());
    private final BrokerParts broker = new BrokerParts(kernel);
    private final RegisteredHeap heap = broker.memfd("camera");

    @AfterEach
    void nothing_is_left() {
        broker.close();
        before.assertNothingLeft();
    }

    private void assertCharged(long live, long lingering) {
        UsageSnapshot snapshot = heap.account().snapshot();
        assertEquals(live, snapshot.liveBuffers());
        assertEquals(live * SIZE, snapshot.liveBytes());
        assertEquals(lingering, snapshot.lingeringBuffers());
        assertEquals(lingering * SIZE, snapshot.lingeringBytes());
        assertEquals(live + lingering, heap.account().buffers(), "nothing is counted twice");
        assertEquals((live + lingering) * SIZE, heap.account().bytes());
    }

    @Test
    void an_open_descriptor_keeps_the_charge_until_it_is_closed() {
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd fd = reference.exportFd();
        assertCharged(1, 0);
        reference.close();
        assertCharged(0, 1);
        fd.close();
        Await.until("uncharged", () -> heap.account().buffers() == 0);
        assertCharged(0, 0);
    }

    @Test
    void a_descriptor_that_was_closed_unused_leaves_no_charge() {
        BufferReference reference = broker.allocate(SIZE);
        reference.exportFd().close();
        reference.close();
        assertCharged(0, 0);
    }

    @Test
    void a_mapping_of_a_descriptor_given_away_keeps_the_charge() {
        BufferReference reference = broker.allocate(SIZE);
        try (Arena peer = Arena.ofConfined()) {
            OwnedFd fd = reference.exportFd();
            new Mappings(Syscalls.linux()).map(fd, SIZE, Access.READ, peer);
            Syscalls.linux().close(fd.detach());
            reference.close();
            assertCharged(0, 1);
        }
        Await.until("uncharged", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_buffer_lingers_only_after_the_clients_own_mapping_has_ended() {
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd fd = reference.exportFd();
        try (Arena arena = Arena.ofConfined()) {
            reference.map(Access.READ, arena);
            reference.close();
            assertCharged(1, 0);
        }
        Await.until("lingering", () -> heap.account().snapshot().lingeringBuffers() == 1);
        assertCharged(0, 1);
        fd.close();
        Await.until("uncharged", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_buffer_exported_read_only_lingers_too() {
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withExport(ExportMode.READ_ONLY));
        OwnedFd fd = reference.exportFd();
        reference.close();
        assertCharged(0, 1);
        fd.close();
        Await.until("uncharged", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_buffer_that_was_never_exported_is_uncharged_at_once_without_a_system_call() {
        for (ExportMode mode : ExportMode.values()) {
            BufferReference reference =
                    broker.allocate(AllocationRequest.of(SIZE).withExport(mode));
            assertEquals(mode != ExportMode.NONE, reference.inode().isPresent());
            reference.close();
            assertCharged(0, 0);
        }
        assertFalse(before.leftIn(ProcessState.now()).toString().contains("inotify"));
    }

    @Test
    void no_descriptor_is_exported_if_its_holders_cannot_be_tracked() {
        BufferReference reference = broker.allocate(SIZE);
        ProcessState held = ProcessState.now();
        kernel.fail("fcntl", Errno.EMFILE);
        assertEquals(
                Errno.EMFILE,
                assertThrows(HeapException.class, reference::exportFd).errno());
        kernel.answer("fcntl", 0);
        assertEquals(
                1,
                held.leftIn(ProcessState.now()).stream()
                        .filter(line -> line.contains("inotify"))
                        .count());
        reference.close();
        assertCharged(0, 0);
    }

    @Test
    void memory_of_an_unknown_kind_is_not_exported() {
        FakeMemory memory = new FakeMemory(SIZE) {
            @Override
            public int descriptor() {
                return 0; // standard input is not memory
            }
        };
        broker.heap("vendor", new FakeHeap(request -> memory));
        BufferReference reference = broker.allocate(AllocationRequest.of(SIZE).withHeaps("vendor"));
        assertEquals(
                Errno.ENOTSUP,
                assertThrows(HeapException.class, reference::exportFd).errno());
        reference.close();
        assertTrue(memory.released());
    }

    @Test
    void secret_memory_lingers_too() {
        SecretSource source = null;
        try {
            source = SecretSource.open("secure", Syscalls.linux(), Headroom.machine(), false);
        } catch (HeapException e) {
            abort("skipped: " + e.getMessage());
        }
        RegisteredHeap secure = broker.heap("secure", source, source.properties());
        BufferReference reference =
                broker.allocate(AllocationRequest.of(SIZE).withHeaps("secure").withEmulations("protected"));
        OwnedFd fd = reference.exportFd();
        reference.close();
        assertEquals(0, secure.account().snapshot().liveBuffers());
        assertEquals(1, secure.account().snapshot().lingeringBuffers());
        fd.close();
        Await.until("uncharged", () -> secure.account().buffers() == 0);
    }

    @Test
    void a_heap_that_left_is_listed_while_peers_hold_memory_of_it() {
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd fd = reference.exportFd();
        broker.remove(heap);
        reference.close();
        HeapInfo left = broker.info("camera", HeapState.DEPARTED);
        assertEquals(Optional.of("it has left; other holders still use its memory"), left.reason());
        assertEquals(0, left.charged().liveBuffers());
        assertEquals(0, left.charged().liveBytes());
        assertEquals(1, left.charged().lingeringBuffers());
        assertEquals(SIZE, left.charged().lingeringBytes());
        fd.close();
        Await.until("forgotten", () -> broker.heaps().isEmpty());
    }

    @Test
    void a_heap_that_returns_keeps_its_lingering_charges() {
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd fd = reference.exportFd();
        reference.close();
        broker.remove(heap);
        broker.memfd("camera");
        assertEquals(1, broker.info("camera", HeapState.SERVING).charged().lingeringBuffers());
        fd.close();
        Await.until(
                "uncharged",
                () -> broker.info("camera", HeapState.SERVING).charged().lingeringBuffers() == 0);
    }

    @Test
    void adopted_memory_does_not_linger_because_its_maker_is_charged() {
        broker.adoption.acceptUnsealed(true); // the heap exports read-write
        BufferReference reference = broker.allocate(SIZE);
        DmaBuf adopted = broker.adoption.adopt(broker.client, reference.exportFd(), "theirs");
        OwnedFd again = adopted.exportFd();
        assertEquals(1, broker.adoption.account().buffers(), "it is counted for the heap and as adopted");
        assertCharged(1, 0);
        adopted.close();
        assertEquals(0, broker.adoption.account().buffers());
        reference.close();
        assertCharged(0, 1);
        again.close();
        Await.until("uncharged", () -> heap.account().buffers() == 0);
    }

    @Test
    void a_stopping_broker_does_not_wait_for_peers() {
        BufferReference reference = broker.allocate(SIZE);
        OwnedFd fd = reference.exportFd();
        reference.close();
        try (Arena arena = Arena.ofConfined()) {
            BufferReference mapped = broker.allocate(SIZE);
            mapped.exportFd().close();
            mapped.map(Access.READ, arena);
            mapped.close();
            broker.close();
        }
        fd.close();
        assertFalse(Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("dmaheap-holders")));
    }

    @Test
    void concurrent_exports_and_closes_leave_nothing() {
        BufferReference[] references = new BufferReference[1];
        OwnedFd[] exported = new OwnedFd[2];
        new Race()
                .before(round -> references[0] = broker.allocate(SIZE))
                .with(round -> exported[0] = exportUnlessClosed(references[0]))
                .with(round -> exported[1] = exportUnlessClosed(references[0]))
                .with(round -> references[0].close())
                .after(round -> {
                    for (OwnedFd fd : exported) {
                        if (fd != null) {
                            fd.close();
                        }
                    }
                    Await.until("uncharged", () -> heap.account().buffers() == 0);
                    assertCharged(0, 0);
                })
                .run(2000);
    }

    private static OwnedFd exportUnlessClosed(BufferReference reference) {
        try {
            return reference.exportFd();
        } catch (IllegalStateException e) {
            return null; // the race was lost
        }
    }

    /** The stop of a client waits a limited time for a hanging heap. The log names the buffer and its heap. */
    @Test
    void a_hanging_release_does_not_block_the_stop_of_a_bundle() throws InterruptedException {
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicBoolean released = new AtomicBoolean();
        FakeMemory hangs = new FakeMemory(SIZE) {
            @Override
            public void release() {
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
                released.set(true);
            }
        };
        broker.heap("vendor", new FakeHeap(request -> hangs));
        BufferReference reference =
                broker.allocate(AllocationRequest.of(SIZE).withHeaps("vendor").withName("frame"));
        RecordedLog.clear();
        broker.client.stop("its bundle has stopped");
        String log = RecordedLog.lines().toString();
        assertTrue(
                log.contains("WARN the release of a buffer 'frame' of 8 KiB from heap 'vendor' has hung for 1500 ms in"
                        + " its heap's code; callers no longer wait for it"),
                log);
        assertThrows(IllegalStateException.class, () -> reference.map(Access.READ, Arena.ofAuto()));
        goOn.countDown();
        Await.until("released after all", released::get);
        assertTrue(goOn.await(1, TimeUnit.SECONDS));
    }

    @Test
    void a_hanging_end_of_a_cpu_access_does_not_block_the_stop_of_a_bundle() throws InterruptedException {
        CountDownLatch goOn = new CountDownLatch(1);
        FakeMemory hangs = new FakeMemory(SIZE) {
            @Override
            public void endCpuAccess(Access access) {
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
        };
        broker.heap("vendor", new FakeHeap(request -> hangs));
        BufferReference reference =
                broker.allocate(AllocationRequest.of(SIZE).withHeaps("vendor").withName("frame"));
        reference.beginCpuAccess(Access.WRITE);
        RecordedLog.clear();
        broker.client.stop("its bundle has stopped");
        String log = RecordedLog.lines().toString();
        assertTrue(
                log.contains(
                        "WARN the end of a CPU access for WRITE to a buffer 'frame' of 8 KiB from heap 'vendor' has"
                                + " hung for"),
                log);
        assertFalse(hangs.released());
        goOn.countDown();
        Await.until("released after all", hangs::released);
    }
}
