// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.Charged;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.ClientHeapAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Peaks;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.linux.headroom.Headroom;

/** Monitor service of one bundle. It builds each result from the ledger at the time of the call. */
public final class Monitor implements HeapMonitor {
    private final Ledger ledger;
    private final HeapRegistry registry;
    private final HeapListing listing;
    private final LeakDetector leaks;
    private final Peaks.Book peaks;
    private final AtomicBoolean timing = new AtomicBoolean();

    Monitor(Ledger ledger, HeapRegistry registry, HeapListing listing, LeakDetector leaks) {
        this.ledger = ledger;
        this.registry = registry;
        this.listing = listing;
        this.leaks = leaks;
        peaks = ledger.peaks().open();
    }

    /** Ends the monitor and discards its peaks. */
    void close() {
        if (timing.getAndSet(false)) {
            ledger.endTiming();
        }
        ledger.peaks().close(peaks);
    }

    @Override
    public List<UsageRecord> usageByHeap() {
        registry.prune(); // the last buffer of a heap that has left may have ended since
        return ledger.heaps().stream()
                .sorted(Comparator.comparing(HeapAccount::heap))
                .map(this::record)
                .toList();
    }

    private UsageRecord record(HeapAccount account) {
        UsageRecord.Builder record = UsageRecord.builder().heap(account.heap());
        return account.counts(peaks.of(account).to(record)).build();
    }

    @Override
    public List<UsageRecord> usageByClient() {
        return ledger.clients().stream().map(this::record).toList();
    }

    private UsageRecord record(ClientAccount client) {
        UsageRecord.Builder record = UsageRecord.builder().client(client.id());
        return client.counts(peaks.of(client).to(record)).build();
    }

    @Override
    public List<UsageRecord> usageByClientAndHeap() {
        return ledger.clients().stream()
                .flatMap(client -> client.shares().stream()
                        .sorted(Comparator.comparing(share -> share.account().heap())))
                .map(this::record)
                .toList();
    }

    private UsageRecord record(ClientHeapAccount share) {
        ClientId client = share.client().id();
        return peaks.of(share)
                .to(UsageRecord.builder().heap(share.account().heap()).client(client))
                .build();
    }

    @Override
    public List<BufferRecord> buffers() {
        long now = System.nanoTime();
        List<BufferRecord> all = new ArrayList<>();
        for (HeapAccount account : ledger.heaps()) {
            for (Charge.Entry entry : account.entries()) {
                all.add(record(account.heap(), entry, now));
            }
        }
        all.sort(Comparator.comparing(BufferRecord::heap)
                .thenComparing(Comparator.comparing(BufferRecord::age).reversed()));
        return List.copyOf(all);
    }

    private static BufferRecord record(String heap, Charge.Entry entry, long now) {
        Charged.Uses uses = entry.buffer().map(Charged::uses).orElse(Charged.Uses.NONE);
        return BufferRecord.of(heap, entry.client(), entry.size())
                .origin(entry.origin())
                .name(entry.name())
                .inode(
                        entry.file().isPresent()
                                ? OptionalLong.of(entry.file().get().inode())
                                : OptionalLong.empty())
                .fileSystem(entry.file().isPresent() ? entry.file().get().fileSystem() : OptionalLong.empty())
                .open(uses.references(), uses.mappings(), uses.cpuAccesses())
                .exported(entry.file().isPresent() || entry.lingering())
                .lingering(entry.lingering())
                .age(Duration.ofNanos(Math.max(0, now - entry.since())))
                .site(entry.site())
                .build();
    }

    @Override
    public List<HeapInfo> heaps() {
        return listing.heaps();
    }

    @Override
    public Optional<Duration> memoryStall() {
        return Headroom.memoryStall();
    }

    @Override
    public void timeAllocations() {
        if (!timing.getAndSet(true)) {
            ledger.beginTiming();
        }
    }

    @Override
    public void ping() throws InterruptedException {
        registry.prune(); // takes the locks of the registry and of the ledger
        leaks.ping();
    }

    @Override
    public void resetPeaks() {
        peaks.reset(ledger);
    }
}
