// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.dmabuf.heap.ChargedBuffer;
import org.dmabuf.heap.Charges;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.Charged;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.account.UsageSnapshot;
import org.dmabuf.heap.broker.heap.HeapRegistry;

/** The monitor service: it reads the ledger. Each answer is put together when it is asked for. */
public final class Monitor implements HeapMonitor {
    private record Sums(String heap, String client, UsageSnapshot snapshot, Map<Errno, Long> failures)
            implements Charges {
        @Override
        public long liveBuffers() {
            return snapshot.liveBuffers();
        }

        @Override
        public long liveBytes() {
            return snapshot.liveBytes();
        }

        @Override
        public long lingeringBuffers() {
            return snapshot.lingeringBuffers();
        }

        @Override
        public long lingeringBytes() {
            return snapshot.lingeringBytes();
        }

        @Override
        public long peakBytes() {
            return snapshot.peakBytes();
        }

        @Override
        public OptionalLong limit() {
            return snapshot.limit() == Rules.UNLIMITED ? OptionalLong.empty() : OptionalLong.of(snapshot.limit());
        }
    }

    private record Listed(
            String heap,
            String client,
            String name,
            long size,
            OptionalLong inode,
            int references,
            int mappings,
            int brackets,
            boolean exported,
            boolean lingering,
            Duration age,
            List<StackTraceElement> site)
            implements ChargedBuffer {}

    private final Ledger ledger;
    private final HeapRegistry registry;

    public Monitor(Ledger ledger, HeapRegistry registry) {
        this.ledger = ledger;
        this.registry = registry;
    }

    @Override
    public List<Charges> heaps() {
        registry.prune(); // of what left, the last buffer may have ended since
        return ledger.heaps().stream()
                .<Charges>map(account -> new Sums(
                        account.heap(), "", account.snapshot(), Map.copyOf(account.failures().byCause())))
                .sorted(Comparator.comparing(Charges::heap))
                .toList();
    }

    @Override
    public List<Charges> clients() {
        return ledger.clients().stream()
                .<Charges>map(client -> new Sums(
                        "", client.bundle(), client.snapshot(), Map.copyOf(client.failures().byCause())))
                .toList();
    }

    @Override
    public List<Charges> clientsOnHeaps() {
        return ledger.clients().stream()
                .flatMap(client -> client.shares().stream())
                .<Charges>map(share -> new Sums(
                        share.account().heap(), share.client().bundle(), share.snapshot(), Map.of()))
                .sorted(Comparator.comparing(Charges::client).thenComparing(Charges::heap))
                .toList();
    }

    @Override
    public List<ChargedBuffer> buffers() {
        long now = System.nanoTime();
        List<ChargedBuffer> all = new ArrayList<>();
        for (HeapAccount account : ledger.heaps()) {
            for (Charge.Entry entry : account.entries()) {
                all.add(listed(account.heap(), entry, now));
            }
        }
        all.sort(Comparator.comparing(ChargedBuffer::heap)
                .thenComparing(Comparator.comparing(ChargedBuffer::age).reversed()));
        return List.copyOf(all);
    }

    private static ChargedBuffer listed(String heap, Charge.Entry entry, long now) {
        Charged.Uses uses = entry.buffer().map(Charged::uses).orElse(Charged.Uses.NONE);
        return new Listed(
                heap,
                entry.client(),
                entry.name(),
                entry.size(),
                uses.inode(),
                uses.references(),
                uses.mappings(),
                uses.brackets(),
                uses.exported() || entry.lingering(),
                entry.lingering(),
                Duration.ofNanos(Math.max(0, now - entry.since())),
                entry.site());
    }

    @Override
    public void resetPeaks() {
        ledger.heaps().forEach(HeapAccount::resetPeak);
        ledger.clients().forEach(ClientAccount::resetPeak);
    }
}
