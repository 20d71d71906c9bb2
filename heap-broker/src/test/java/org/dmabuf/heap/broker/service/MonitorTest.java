// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MonitorTest {
    private static final AllocationRequest PAGE = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts();
    private final Monitor monitor = new Monitor(broker.ledger, broker.registry, broker.listing, broker.leaks);
    private final FakeBundle display = new FakeBundle("org.example.display");
    private final HeapBroker own = broker.clients.getService(display.bundle(), null);

    @AfterEach
    void stop() {
        broker.clients.stopAll();
        broker.close();
        assertEquals(List.of(), monitor.buffers());
    }

    private static UsageRecord of(List<UsageRecord> all, String heap, String client) {
        return all.stream()
                .filter(one -> one.heap().orElse("").equals(heap)
                        && one.client().map(ClientId::toString).orElse("").equals(client))
                .findFirst()
                .orElseThrow();
    }

    private BufferRecord only() {
        assertEquals(1, monitor.buffers().size());
        return monitor.buffers().getFirst();
    }

    @Test
    void the_sums_of_heaps_and_clients_and_of_both_agree() throws Exception {
        broker.heap("one", new FakeHeap());
        broker.heap("two", new FakeHeap());
        broker.ledger.apply(BrokerParts.rules(
                new String[] {"one=64K"}, new String[] {"*=32K"}, new String[] {"*/two=16K"}, new String[0]));
        own.allocate(PAGE.withHeaps("one"));
        own.allocate(PAGE.withHeaps("two"));
        own.allocate(PAGE.withHeaps("two")).close();
        broker.allocate(PAGE.withHeaps("two"));
        assertThrows(
                HeapException.class,
                () -> own.allocate(AllocationRequest.of(16384).withHeaps("two")));

        assertEquals(
                List.of("adopted", "one", "two"),
                monitor.usageByHeap().stream()
                        .map(record -> record.heap().orElseThrow())
                        .toList());
        UsageRecord two = of(monitor.usageByHeap(), "two", "");
        assertEquals(2, two.liveBuffers());
        assertEquals(8192, two.liveBytes());
        assertEquals(8192, two.peakBytes());
        assertEquals(OptionalLong.empty(), two.limit());
        assertEquals(Map.of(Errno.ENOMEM, 1L), two.failures());
        assertEquals(
                OptionalLong.of(65536), of(monitor.usageByHeap(), "one", "").limit());

        UsageRecord client = of(monitor.usageByClient(), "", "org.example.display");
        assertEquals(2, client.liveBuffers());
        assertEquals(8192, client.liveBytes());
        assertEquals(OptionalLong.of(32768), client.limit());
        assertEquals(Map.of(Errno.ENOMEM, 1L), client.failures());

        UsageRecord both = of(monitor.usageByClientAndHeap(), "two", "org.example.display");
        assertEquals(1, both.liveBuffers());
        assertEquals(4096, both.liveBytes());
        assertEquals(8192, both.peakBytes());
        assertEquals(OptionalLong.of(16384), both.limit());
        assertEquals(Map.of(), both.failures());
        assertEquals(
                4096,
                of(monitor.usageByClientAndHeap(), "two", "org.example.camera").liveBytes());
    }

    @Test
    void a_heap_that_left_is_listed_while_its_buffers_live() {
        RegisteredHeap heap = broker.heap("one", new FakeHeap());
        DmaBuf buffer = own.allocate(PAGE);
        broker.remove(heap);
        assertEquals(4096, of(monitor.usageByHeap(), "one", "").liveBytes());
        buffer.close();
        assertEquals(
                List.of("adopted"),
                monitor.usageByHeap().stream()
                        .map(record -> record.heap().orElseThrow())
                        .toList());
    }

    @Test
    void a_reset_peak_begins_at_the_present_value() {
        broker.heap("system", new FakeHeap());
        own.allocate(PAGE).close();
        assertEquals(4096, of(monitor.usageByHeap(), "system", "").peakBytes());
        assertTrue(of(monitor.usageByClient(), "", "org.example.display").peakBytes() >= 4096);
        monitor.resetPeaks();
        for (UsageRecord charges : List.of(
                of(monitor.usageByHeap(), "system", ""),
                of(monitor.usageByClient(), "", "org.example.display"),
                of(monitor.usageByClientAndHeap(), "system", "org.example.display"))) {
            assertEquals(0, charges.peakBytes());
        }
    }

    @Test
    void one_allocation_in_64_is_timed_while_a_monitor_wants_times() {
        broker.heap("system", new FakeHeap());
        own.allocate(PAGE).close();
        assertEquals(
                0, of(monitor.usageByHeap(), "system", "").allocationTimes().count());
        monitor.timeAllocations();
        monitor.timeAllocations();
        for (int i = 0; i < 128; i++) {
            own.allocate(PAGE).close();
        }
        monitor.close();
        for (int i = 0; i < 128; i++) {
            own.allocate(PAGE).close();
        }
        assertEquals(
                2, of(monitor.usageByHeap(), "system", "").allocationTimes().count());
        assertEquals(
                2,
                of(monitor.usageByClient(), "", "org.example.display")
                        .allocationTimes()
                        .count());
    }

    @Test
    void it_lists_the_heaps_without_the_refusals_of_a_client() {
        broker.heap("system", new FakeHeap());
        broker.heap("closed", new FakeHeap(), Map.of(HeapProperties.RESTRICTED, true));
        assertEquals(
                List.of("SERVING", "SERVING"),
                monitor.heaps().stream().map(heap -> heap.state().name()).toList());
        assertEquals(
                List.of(Optional.empty(), Optional.empty()),
                monitor.heaps().stream().map(HeapInfo::plainRefusal).toList());
        assertTrue(broker.heaps().stream().anyMatch(heap -> heap.plainRefusal().isPresent()));
    }

    @Test
    void a_ping_returns_only_if_the_background_thread_does() throws Exception {
        Thread pinging = Thread.ofPlatform().start(() -> {
            try {
                monitor.ping();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        Await.until("the ping waits", () -> pinging.getState() == Thread.State.WAITING);
        broker.leaks.start();
        pinging.join();
        monitor.ping();
    }

    @Test
    void a_buffer_is_listed_with_all_its_holders() {
        broker.memfd("system");
        DmaBuf buffer = own.allocate(PAGE.withName("frame"));
        BufferRecord fresh = only();
        assertEquals("system", fresh.heap());
        assertEquals("org.example.display", fresh.client().toString());
        assertEquals(Optional.of("frame"), fresh.name());
        assertEquals(4096, fresh.size());
        assertEquals(1, fresh.references());
        assertEquals(0, fresh.mappings());
        assertEquals(0, fresh.cpuAccesses());
        assertEquals(OptionalLong.empty(), fresh.inode(), "no descriptor has left");
        assertEquals(OptionalLong.empty(), fresh.fileSystem(), "no descriptor has left");
        assertEquals(List.of(), fresh.site());
        assertTrue(fresh.age().compareTo(Duration.ofMinutes(5)) < 0, fresh.age()::toString);

        try (Arena arena = Arena.ofConfined();
                DmaBuf duplicate = buffer.newReference();
                CpuAccess _ = duplicate.beginCpuAccess(Access.READ);
                OwnedFd _ = buffer.exportFd()) {
            buffer.map(Access.READ, arena);
            duplicate.map(Access.READ, arena);
            BufferRecord used = only();
            assertEquals(2, used.references());
            assertEquals(2, used.mappings());
            assertEquals(1, used.cpuAccesses());
            assertEquals(buffer.inode(), used.inode());
            assertTrue(used.exported());
        }
        Await.until("the mappings have ended", () -> only().mappings() == 0);
        assertEquals(1, only().references());
        assertEquals(0, only().cpuAccesses());
        buffer.close();
        Await.until("no holder is left", () -> monitor.buffers().isEmpty());
    }

    @Test
    void memory_that_peers_hold_is_listed_as_lingering_under_the_allocating_client() throws IOException {
        broker.memfd("system");
        OwnedFd peer;
        OptionalLong inode;
        try (DmaBuf buffer = own.allocate(PAGE.withName("frame"))) {
            peer = buffer.exportFd();
            inode = buffer.inode();
        }
        BufferRecord lingering = only();
        assertTrue(lingering.lingering() && lingering.exported());
        assertEquals(inode, lingering.inode());
        assertEquals(
                Files.getAttribute(Path.of("/proc/self/fd/" + peer.fd()), "unix:dev"),
                lingering.fileSystem().getAsLong());
        assertEquals(Optional.of("frame"), lingering.name());
        assertEquals("org.example.display", lingering.client().toString());
        assertEquals(4096, lingering.size());
        assertEquals(0, lingering.references());
        assertEquals(1, of(monitor.usageByClient(), "", "org.example.display").lingeringBuffers());
        assertEquals(4096, of(monitor.usageByHeap(), "system", "").lingeringBytes());
        peer.close();
        Await.until("the peer has let go", () -> monitor.buffers().isEmpty());
    }

    @Test
    void an_allocation_site_is_kept_if_that_is_enabled() {
        broker.heap("system", new FakeHeap());
        broker.ledger.keepSites(true);
        own.allocate(PAGE);
        broker.ledger.keepSites(false);
        List<StackTraceElement> site = only().site();
        assertTrue(!site.isEmpty() && site.size() <= 32, site::toString);
        assertTrue(
                site.stream().noneMatch(frame -> frame.getClassName().equals(Allocator.class.getName())),
                site::toString);
    }

    @Test
    void a_dump_under_load_never_fails_and_ends_empty() {
        broker.memfd("system");
        new Race()
                .with(round -> {
                    try (DmaBuf buffer = own.allocate(PAGE);
                            OwnedFd _ = buffer.exportFd()) {
                        buffer.newReference().close();
                    }
                })
                .with(round -> {
                    for (int i = 0; i < 3; i++) {
                        for (BufferRecord listed : monitor.buffers()) {
                            assertTrue(listed.references() >= 0 && listed.mappings() == 0, listed::toString);
                        }
                    }
                })
                .run(500);
        Await.until("nothing lingers", () -> monitor.buffers().isEmpty());
    }
}
