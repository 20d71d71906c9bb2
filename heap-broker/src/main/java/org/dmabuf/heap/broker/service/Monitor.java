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

/** Reads the ledger for others. Whatever it tells is put together when it is asked. */
public final class Monitor implements HeapMonitor {
    private record Sums(String heap, String client, UsageSnapshot figures, Map<Errno, Long> failures)
            implements Charges {
        @Override
        public long liveBuffers() {
            return figures.liveBuffers();
        }

        @Override
        public long liveBytes() {
            return figures.liveBytes();
        }

        @Override
        public long lingeringBuffers() {
            return figures.lingeringBuffers();
        }

        @Override
        public long lingeringBytes() {
            return figures.lingeringBytes();
        }

        @Override
        public long peakBytes() {
            return figures.peakBytes();
        }

        @Override
        public OptionalLong limit() {
            return figures.limit() == Rules.UNLIMITED ? OptionalLong.empty() : OptionalLong.of(figures.limit());
        }
    }

    private record Told(
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
    private final HeapRegistry table;

    public Monitor(Ledger ledger, HeapRegistry table) {
        this.ledger = ledger;
        this.table = table;
    }

    @Override
    public List<Charges> heaps() {
        table.prune(); // of what left, the last buffer may have ended since
        return ledger.heaps().stream()
                .<Charges>map(account -> new Sums(
                        account.heap(), "", account.figures(), Map.copyOf(account.failures().byCause())))
                .sorted(Comparator.comparing(Charges::heap))
                .toList();
    }

    @Override
    public List<Charges> clients() {
        return ledger.clients().stream()
                .<Charges>map(client -> new Sums(
                        "", client.bundle(), client.figures(), Map.copyOf(client.failures().byCause())))
                .toList();
    }

    @Override
    public List<Charges> clientsOnHeaps() {
        return ledger.clients().stream()
                .flatMap(client -> client.shares().stream())
                .<Charges>map(share -> new Sums(
                        share.account().heap(), share.client().bundle(), share.figures(), Map.of()))
                .sorted(Comparator.comparing(Charges::client).thenComparing(Charges::heap))
                .toList();
    }

    @Override
    public List<ChargedBuffer> buffers() {
        long now = System.nanoTime();
        List<ChargedBuffer> all = new ArrayList<>();
        for (HeapAccount account : ledger.heaps()) {
            for (Charge.Entry entry : account.entries()) {
                all.add(told(account.heap(), entry, now));
            }
        }
        all.sort(Comparator.comparing(ChargedBuffer::heap)
                .thenComparing(Comparator.comparing(ChargedBuffer::age).reversed()));
        return List.copyOf(all);
    }

    private static ChargedBuffer told(String heap, Charge.Entry entry, long now) {
        Charged.Uses uses = entry.buffer().map(Charged::uses).orElse(Charged.Uses.NONE);
        return new Told(
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
