// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of the in-memory broker's own behaviour, beyond the contract of all brokers. */
class InMemoryBrokerTest {
    private static final int SIZE = 65_536;
    private static final AllocationRequest REQUEST = AllocationRequest.of(SIZE).withName("frame");
    private static final Duration ENOUGH = Duration.ofSeconds(20);

    private final InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 4 * SIZE));

    @AfterEach
    void close() {
        broker.close();
    }

    @Test
    void a_size_is_rounded_up_to_pages() {
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(4097))) {
            assertEquals(8192, buffer.size());
        }
    }

    @Test
    void the_next_allocations_fail_as_planned_in_order_and_also_those_with_time() {
        HeapException first = HeapException.of(Errno.ENOMEM, "system", "planned");
        HeapException second = HeapException.of(Errno.EACCES, "planned");
        broker.failNext(first);
        broker.failNext(second);
        assertSame(first, assertThrows(HeapException.class, () -> broker.allocate(REQUEST.withTimeout(ENOUGH))));
        assertSame(second, assertThrows(HeapException.class, () -> broker.allocate(REQUEST)));
        broker.allocate(REQUEST).close();
        assertEquals(
                Map.of(Errno.ENOMEM, 1L, Errno.EACCES, 1L),
                broker.monitor().usageByClient().getFirst().failures());
    }

    @Test
    void a_device_demands_the_kinds_that_serving_heaps_declare() {
        Demand bank = Demand.parse("/dev/npu bank=2");
        broker.addDemands(bank);
        assertTrue(broker.demandsOf("/dev/npu").getFirst().kind().isUnknown());
        InMemoryHeap banked = InMemoryHeap.of("banked", SIZE)
                .with(HeapProperties.CONSTRAINT_KINDS, "bank one-of acme.bank")
                .with("acme.bank", "2");
        broker.add(banked);
        assertEquals(
                "bank one-of acme.bank",
                broker.demandsOf("/dev/npu").getFirst().kind().toString());
        try (DmaBuf buffer = broker.allocate(REQUEST.forDevices("/dev/npu"))) {
            assertEquals("banked", buffer.heapName());
        }
        assertThrows(IllegalArgumentException.class, () -> banked.with(HeapProperties.CONSTRAINT_KINDS, 2));
        assertThrows(IllegalArgumentException.class, () -> banked.with(HeapProperties.CONSTRAINT_KINDS, "bank"));
    }

    @Test
    void a_device_has_the_demands_that_the_test_adds() {
        broker.add(InMemoryHeap.of("cma", 4 * SIZE).with(HeapProperties.CONTIGUOUS, true));
        AllocationRequest request = REQUEST.forDevices("/dev/video0");
        assertThrows(HeapRefusedException.class, () -> broker.allocate(request));
        broker.addDemands(
                Demand.parse("/dev/video0 sg=contiguous"),
                Demand.parse("/dev/video0 readonly=true"),
                Demand.parse("/dev/video1 protected=true"));
        try (DmaBuf buffer = broker.allocate(request)) {
            assertEquals("cma", buffer.heapName());
        }
        assertEquals(
                "/dev/video1",
                assertThrows(HeapRefusedException.class, () -> broker.plan(REQUEST.forDevices("/dev/video1")))
                        .conflict()
                        .orElseThrow()
                        .demands()
                        .getFirst()
                        .who());
        HeapException planned = HeapException.of(Errno.ENOMEM, "cma", "planned");
        broker.failNext(planned);
        assertSame(
                planned,
                assertThrows(HeapException.class, () -> broker.plan(request).allocate()));
    }

    @Test
    void nothing_open_is_required_in_words_that_name_each_with_its_place() {
        DmaBuf buffer = broker.allocate(REQUEST);
        Arena arena = Arena.ofConfined();
        buffer.map(Access.READ, arena);
        CpuAccess access = buffer.beginCpuAccess(Access.WRITE);
        OwnedFd descriptor = buffer.exportFd();
        Publication publication = broker.publish(buffer, "preview");
        ClientView view = broker.openView(ClientId.of("uid", "1000"));
        String open = assertThrows(IllegalStateException.class, broker::requireNothingOpen)
                .getMessage();
        String of = " of a buffer 'frame' of 65536 bytes from heap 'system', opened at org.example.client."
                + "InMemoryBrokerTest.nothing_open_is_required_in_words_that_name_each_with_its_place(";
        for (String what : List.of(
                "reference",
                "mapping",
                "CPU access for WRITE",
                "descriptor " + descriptor.fd(),
                "publication 'preview'")) {
            assertTrue(open.contains("\n  " + what + of), what + " is not in " + open);
        }
        assertTrue(open.contains("\n  view for uid:1000, opened at org.example.client.InMemoryBrokerTest."), open);
        assertTrue(open.startsWith("expected nothing open, found 6:"), open);
        Stream.<AutoCloseable>of(buffer, arena, access, descriptor, publication, view)
                .forEach(one -> {
                    assertThrows(IllegalStateException.class, broker::requireNothingOpen);
                    try {
                        one.close();
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                });
        broker.requireNothingOpen();
    }

    @Test
    void an_exported_descriptor_is_adopted_as_the_same_memory_and_counts_twice() {
        DmaBuf original = broker.allocate(REQUEST);
        OwnedFd descriptor = original.exportFd();
        DmaBuf adopted = broker.adopt(descriptor, "copy");
        assertThrows(IllegalStateException.class, descriptor::fd);
        try (Arena arena = Arena.ofConfined()) {
            original.map(Access.WRITE, arena).set(ValueLayout.JAVA_BYTE, 9, (byte) 9);
            original.close();
            assertEquals(9, adopted.map(Access.READ_WRITE, arena).get(ValueLayout.JAVA_BYTE, 9));
        }
        assertEquals("adopted", adopted.heapName());
        assertEquals(Optional.of("copy"), adopted.name());
        List<UsageRecord> byHeap = broker.monitor().usageByHeap();
        assertEquals(
                List.of(Optional.of("adopted"), Optional.of("system")),
                byHeap.stream().map(UsageRecord::heap).toList());
        assertEquals(SIZE, byHeap.getFirst().liveBytes());
        assertEquals(SIZE, byHeap.getLast().lingeringBytes());
        adopted.close();
        broker.requireNothingOpen();
    }

    @Test
    void memory_that_is_exported_for_reading_is_adopted_for_reading() {
        try (DmaBuf original = broker.allocate(REQUEST.withExport(ExportMode.READ_ONLY));
                DmaBuf adopted = broker.adopt(original.exportFd(), "copy");
                Arena arena = Arena.ofConfined()) {
            assertTrue(adopted.map(Access.READ, arena).isReadOnly());
            HeapException refused = assertThrows(HeapRefusedException.class, () -> adopted.map(Access.WRITE, arena));
            assertEquals(Errno.EACCES, refused.errno());
        }
    }

    @Test
    void a_foreign_descriptor_is_not_adopted_and_stays_the_callers() {
        try (OwnedFd own = broker.own(7);
                InMemoryBroker other = InMemoryBroker.of(InMemoryHeap.of("system", SIZE));
                DmaBuf buffer = other.allocate(REQUEST);
                OwnedFd others = buffer.exportFd()) {
            for (OwnedFd descriptor : List.of(own, others)) {
                int number = descriptor.fd();
                HeapException refused =
                        assertThrows(HeapRefusedException.class, () -> broker.adopt(descriptor, "frame"));
                assertEquals(Errno.EBADFD, refused.errno());
                assertTrue(refused.getMessage().contains("exportFd of the same broker"), refused.getMessage());
                assertEquals(number, descriptor.fd());
            }
        }
        assertThrows(IllegalArgumentException.class, () -> broker.own(-1));
    }

    @Test
    void a_detached_descriptor_is_open_until_it_is_owned_and_closed() {
        int number;
        try (DmaBuf buffer = broker.allocate(REQUEST)) {
            OwnedFd descriptor = buffer.exportFd();
            assertTrue(descriptor.fd() >= 1_000_000);
            number = descriptor.detach();
        }
        String open = assertThrows(IllegalStateException.class, broker::requireNothingOpen)
                .getMessage();
        assertTrue(open.contains(", detached"), open);
        broker.own(number).close();
        broker.requireNothingOpen();
    }

    @Test
    void a_descriptor_has_the_peer_rule_of_its_heap() {
        broker.add(InMemoryHeap.of("secure", SIZE).with(HeapProperties.PEERS, List.of(1000)));
        try (DmaBuf buffer = broker.allocate(REQUEST.withHeaps("secure"));
                OwnedFd descriptor = buffer.exportFd()) {
            PeerRule rule = descriptor.peers().orElseThrow();
            assertTrue(rule.permits(1000));
        }
    }

    @Test
    void memory_that_the_cpu_may_not_map_is_not_mapped() {
        broker.add(InMemoryHeap.of("secure", SIZE).with(HeapProperties.MAPPABLE, false));
        try (DmaBuf buffer = broker.allocate(REQUEST.withHeaps("secure"))) {
            HeapException refused =
                    assertThrows(HeapRefusedException.class, () -> buffer.map(Access.READ, Arena.ofAuto()));
            assertEquals(Errno.EINVAL, refused.errno());
        }
        broker.requireNothingOpen();
    }

    @Test
    void an_interrupted_thread_maps_and_the_memory_stays() {
        try (DmaBuf buffer = broker.allocate(REQUEST);
                Arena arena = Arena.ofConfined()) {
            Thread.currentThread().interrupt();
            buffer.map(Access.WRITE, arena).set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            assertTrue(Thread.interrupted());
            assertEquals(1, buffer.map(Access.READ, arena).get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void an_interrupt_ends_a_wait() throws InterruptedException {
        try (DmaBuf _ = broker.allocate(AllocationRequest.of(4 * SIZE))) {
            AtomicReference<HeapException> failure = new AtomicReference<>();
            Thread waiting = Thread.ofPlatform()
                    .start(() -> failure.set(
                            assertThrows(HeapException.class, () -> broker.allocate(REQUEST.withTimeout(ENOUGH)))));
            waiting.interrupt();
            waiting.join();
            assertEquals(Errno.EINTR, failure.get().errno());
        }
    }

    @Test
    void a_request_with_time_continues_when_an_arena_ends_and_when_a_heap_arrives() throws InterruptedException {
        Arena arena = Arena.ofShared();
        try (DmaBuf buffer = broker.allocate(AllocationRequest.of(4 * SIZE))) {
            buffer.map(Access.READ, arena);
        }
        Thread first = Thread.ofPlatform()
                .start(() -> broker.allocate(REQUEST.withTimeout(ENOUGH)).close());
        arena.close();
        first.join();
        broker.remove("system");
        assertThrows(HeapRefusedException.class, () -> broker.allocate(REQUEST));
        broker.add(InMemoryHeap.of("system", SIZE));
        broker.allocate(REQUEST).close();
        broker.requireNothingOpen();
    }

    @Test
    void a_view_and_the_broker_share_the_memory_of_a_heap() {
        try (ClientView view = broker.openView(ClientId.of("uid", "1000"));
                DmaBuf _ = view.allocate(AllocationRequest.of(4 * SIZE))) {
            assertThrows(HeapShortageException.class, () -> broker.allocate(REQUEST));
            List<UsageRecord> byClient = broker.monitor().usageByClient();
            assertEquals(
                    List.of(Optional.of(broker.client()), Optional.of(view.client())),
                    byClient.stream().map(UsageRecord::client).toList());
            assertEquals(4 * SIZE, byClient.getLast().liveBytes());
        }
        assertEquals(1, broker.monitor().usageByClient().size());
    }

    @Test
    void a_reset_peak_begins_at_the_present_value() {
        broker.allocate(AllocationRequest.of(4 * SIZE)).close();
        try (DmaBuf _ = broker.allocate(REQUEST)) {
            broker.monitor().resetPeaks();
            assertEquals(
                    SIZE, broker.monitor().usageByClientAndHeap().getFirst().peakBytes());
        }
    }

    @Test
    void a_closed_broker_has_taken_everything_back() {
        DmaBuf buffer = broker.allocate(REQUEST);
        ClientView view = broker.openView(ClientId.of("uid", "1000"));
        view.allocate(REQUEST);
        broker.close();
        assertThrows(IllegalStateException.class, buffer::newReference);
        assertThrows(IllegalStateException.class, () -> view.allocate(REQUEST));
        assertThrows(IllegalStateException.class, () -> broker.allocate(REQUEST));
        broker.requireNothingOpen();
    }

    @Test
    void a_buffer_of_another_broker_is_not_published() {
        try (InMemoryBroker other = InMemoryBroker.of(InMemoryHeap.of("system", SIZE));
                DmaBuf buffer = other.allocate(REQUEST)) {
            assertThrows(IllegalArgumentException.class, () -> broker.publish(buffer, "frame"));
        }
    }

    @Test
    void heaps_that_the_real_broker_would_refuse_are_not_made() {
        InMemoryHeap heap = InMemoryHeap.of("camera", SIZE);
        for (String name : List.of("", "a b", "a/b", "a..b", "adopted")) {
            assertThrows(IllegalArgumentException.class, () -> InMemoryHeap.of(name, SIZE));
        }
        assertThrows(IllegalArgumentException.class, () -> InMemoryHeap.of("camera", -1));
        assertThrows(IllegalArgumentException.class, () -> heap.with(HeapProperties.ID, 64));
        assertThrows(IllegalArgumentException.class, () -> heap.with(HeapProperties.CONTIGUOUS, "true"));
        assertThrows(IllegalArgumentException.class, () -> heap.with(HeapProperties.ALIGNMENT, 3L));
        assertThrows(IllegalArgumentException.class, () -> heap.with(HeapProperties.NAME, "other"));
        assertThrows(IllegalArgumentException.class, () -> heap.with(HeapProperties.EMULATES, List.of(1)));
        assertNotEquals(heap.properties(), heap.with(HeapProperties.ID, 1).properties());
        assertThrows(IllegalArgumentException.class, () -> broker.add(InMemoryHeap.of("system", 1)));
        assertThrows(IllegalArgumentException.class, () -> broker.remove("camera"));
    }
}
