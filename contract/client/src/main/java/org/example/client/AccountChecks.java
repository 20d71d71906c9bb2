// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.example.client.Gateway.OWN;
import static org.example.client.Gateway.POOLED;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.DurationHistogram;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.UsageRecord;

/** Checks of the monitor's figures. */
final class AccountChecks {
    private final Gateway gateway;
    private final HeapBroker broker;
    private final HeapMonitor monitor;

    AccountChecks(Gateway gateway) {
        this.gateway = gateway;
        broker = gateway.broker();
        monitor = gateway.monitor();
    }

    void run(Report report) {
        report.run("buffers are recorded", this::buffersAreRecorded);
        report.run("an export is recorded", this::anExportIsRecorded);
        report.run("a client's use of a heap is recorded", this::aClientsUseOfAHeapIsRecorded);
        report.run("a client's use is recorded", this::aClientsUseIsRecorded);
        report.run("a heap's use is recorded", this::aHeapsUseIsRecorded);
        report.run("records are maps", this::recordsAreMaps);
        report.run("allocations are timed", this::allocationsAreTimed);
        report.run("the monitor lists heaps", this::theMonitorListsHeaps);
    }

    private BufferRecord named(String name) {
        return monitor.buffers().stream()
                .filter(candidate -> candidate.name().equals(Optional.of(name)))
                .findFirst()
                .orElseThrow();
    }

    private void buffersAreRecorded() {
        try (DmaBuf buffer =
                        broker.allocate(AllocationRequest.of(1).withHeaps(OWN).withName("charged"));
                CpuAccess _ = buffer.beginCpuAccess(Access.READ);
                Arena arena = Arena.ofConfined()) {
            buffer.map(Access.READ, arena);
            BufferRecord charged = named("charged");
            Expect.same(OWN, charged.heap());
            Expect.same(gateway.client(), charged.client());
            Expect.same(4096L, charged.size());
            Expect.same(1, charged.references());
            Expect.same(1, charged.mappings());
            Expect.same(1, charged.cpuAccesses());
            Expect.yes(!charged.exported()
                    && !charged.lingering()
                    && charged.inode().isEmpty()
                    && charged.fileSystem().isEmpty());
            Expect.yes(!charged.age().isNegative());
            Expect.yes(charged.site() != null);
            Expect.same(Optional.empty(), charged.origin());
        }
    }

    private void anExportIsRecorded() {
        try (DmaBuf buffer =
                        broker.allocate(AllocationRequest.of(1).withHeaps(OWN).withName("exported"));
                OwnedFd _ = buffer.exportFd()) {
            Expect.yes(named("exported").exported());
            Expect.same(buffer.inode(), named("exported").inode());
        }
    }

    private static UsageRecord one(List<UsageRecord> records, Optional<String> heap, Optional<?> client) {
        return records.stream()
                .filter(record -> record.heap().equals(heap) && record.client().equals(client))
                .findFirst()
                .orElseThrow();
    }

    private void aClientsUseOfAHeapIsRecorded() throws Exception {
        Expect.soon(0L, gateway::charged);
        monitor.resetPeaks();
        try (DmaBuf _ = gateway.page(OWN)) {
            UsageRecord mine = one(monitor.usageByClientAndHeap(), Optional.of(OWN), Optional.of(gateway.client()));
            Expect.same(1L, mine.liveBuffers());
            Expect.same(4096L, mine.liveBytes());
            Expect.same(4096L, mine.peakBytes());
            Expect.same(0L, mine.lingeringBuffers() + mine.lingeringBytes());
            Expect.yes(mine.limit().isEmpty());
        }
    }

    private void aClientsUseIsRecorded() {
        UsageRecord before = one(monitor.usageByClient(), Optional.empty(), Optional.of(gateway.client()));
        gateway.page(OWN).close();
        UsageRecord after = one(monitor.usageByClient(), Optional.empty(), Optional.of(gateway.client()));
        Expect.same(before.allocations() + 1, after.allocations());
        Expect.same(before.allocatedBytes() + 4096, after.allocatedBytes());
    }

    private void aHeapsUseIsRecorded() {
        UsageRecord before = one(monitor.usageByHeap(), Optional.of(OWN), Optional.empty());
        Expect.failure(
                HeapShortageException.class,
                () -> broker.allocate(AllocationRequest.of(2 * Gateway.CAPACITY).withHeaps(OWN)));
        UsageRecord after = one(monitor.usageByHeap(), Optional.of(OWN), Optional.empty());
        Expect.yes(after.failures().get(Errno.ENOMEM) > before.failures().getOrDefault(Errno.ENOMEM, 0L));
        Expect.same(
                64L << 20,
                one(monitor.usageByHeap(), Optional.of(POOLED), Optional.empty())
                        .limit()
                        .orElseThrow());
    }

    private void allocationsAreTimed() {
        monitor.timeAllocations();
        for (int i = 0; i < 64; i++) { // one in 64 is timed
            gateway.page(OWN).close();
        }
        DurationHistogram times =
                one(monitor.usageByHeap(), Optional.of(OWN), Optional.empty()).allocationTimes();
        Expect.yes(times.count() > 0 && times.total().isPositive());
        Expect.same(times.count(), times.plus(DurationHistogram.empty()).count());
        Expect.same(DurationHistogram.bounds().size() + 1, times.counts().size());
    }

    private void theMonitorListsHeaps() throws Exception {
        monitor.ping();
        Expect.yes(monitor.heaps().stream()
                .anyMatch(heap -> heap.name().equals(OWN) && heap.state() == HeapState.SERVING));
        Expect.yes(monitor.memoryStall().stream().noneMatch(Duration::isNegative));
    }

    private void recordsAreMaps() {
        try (DmaBuf _ = broker.allocate(AllocationRequest.of(1).withHeaps(OWN).withName("mapped"))) {
            Map<String, Object> buffer = named("mapped").toMap();
            Expect.same(OWN, buffer.get("heap"));
            Expect.same(SelfCheck.CLIENT, buffer.get("client"));
            Expect.same("mapped", buffer.get("name"));
            Expect.same(4096L, buffer.get("size"));
            Expect.same(1L, buffer.get("references"));
            Expect.same(0L, buffer.get("mappings"));
            Expect.same(0L, buffer.get("cpuAccesses"));
            Expect.same(false, buffer.get("exported"));
            Expect.same(false, buffer.get("lingering"));
            Expect.yes(buffer.get("age") instanceof Long);
            Expect.yes(!buffer.containsKey("inode"));

            Map<String, Object> heap = one(monitor.usageByHeap(), Optional.of(OWN), Optional.empty())
                    .toMap();
            Expect.same(OWN, heap.get("heap"));
            Expect.yes(!heap.containsKey("client") && !heap.containsKey("limit"));
            for (String figure : List.of(
                    "liveBuffers",
                    "liveBytes",
                    "lingeringBuffers",
                    "lingeringBytes",
                    "peakBytes",
                    "allocations",
                    "allocatedBytes",
                    "waits",
                    "waited",
                    "longestWait",
                    "leakedBuffers")) {
                Expect.yes(heap.get(figure) instanceof Long);
            }
            Expect.yes(heap.get("failures") instanceof Map);
        }
    }
}
