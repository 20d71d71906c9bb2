// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeSet;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.testing.Account.Key;

/** Monitor of an inventory. */
final class Monitor implements HeapMonitor {
    private final Inventory inventory;
    /** Client that is listed even without charges. */
    private final ClientId client;

    Monitor(Inventory inventory, ClientId client) {
        this.inventory = inventory;
        this.client = client;
    }

    @Override
    public List<UsageRecord> usageByHeap() {
        synchronized (inventory) {
            Ledger ledger = inventory.current();
            TreeSet<String> names = new TreeSet<>(inventory.serving());
            names.add(InMemoryHeap.ADOPTED.name());
            ledger.charged().forEach(memory -> names.add(memory.heap().name()));
            return names.stream().map(name -> ofHeap(ledger, name)).toList();
        }
    }

    private UsageRecord ofHeap(Ledger ledger, String name) {
        UsageRecord.Builder record = ledger.record(Key.of(name));
        inventory.serving(name).ifPresent(heap -> record.limit(OptionalLong.of(heap.limit())));
        return record.build();
    }

    @Override
    public List<UsageRecord> usageByClient() {
        synchronized (inventory) {
            Ledger ledger = inventory.current();
            ledger.account(Key.of(client));
            return ledger.keys().stream()
                    .filter(key -> key.heap().isEmpty())
                    .filter(key -> ledger.isCharged(key)
                            || key.client().orElseThrow().equals(client)
                            || inventory.isViewed(key.client().orElseThrow()))
                    .map(key -> ledger.record(key).build())
                    .toList();
        }
    }

    @Override
    public List<UsageRecord> usageByClientAndHeap() {
        synchronized (inventory) {
            Ledger ledger = inventory.current();
            return ledger.keys().stream()
                    .filter(key -> key.heap().isPresent() && key.client().isPresent())
                    .map(key -> ledger.record(key).build())
                    .toList();
        }
    }

    @Override
    public List<BufferRecord> buffers() {
        synchronized (inventory) {
            return inventory.current().buffers();
        }
    }

    @Override
    public List<HeapInfo> heaps() {
        return inventory.infos();
    }

    @Override
    public Optional<Duration> memoryStall() {
        return Optional.empty(); // the figure of a real machine would make tests depend on it
    }

    @Override
    public void timeAllocations() {
        // Allocations of this broker are not timed: their times would not be those of a heap.
    }

    @Override
    public void ping() {
        inventory.infos(); // takes the only lock; there is no background thread
    }

    @Override
    public void resetPeaks() {
        synchronized (inventory) {
            inventory.current().resetPeaks();
        }
    }
}
