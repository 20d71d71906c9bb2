// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToLongFunction;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.UsageRecord;

/** Account of one client, over all heaps. It outlives the client as long as anything is charged to it. */
public final class ClientAccount {
    private final ClientId id;
    private final FailureCounts failures = new FailureCounts();
    private final WaitTimes waits = new WaitTimes();
    private final DurationCounts allocationTimes = new DurationCounts();
    private final AtomicLong leaked = new AtomicLong();
    private final Map<HeapAccount, ClientHeapAccount> shares = new ConcurrentHashMap<>();
    /** Bytes charged and reserved. */
    private final AtomicLong used = new AtomicLong();

    private final AtomicLong peak = new AtomicLong();
    private volatile long limit = Rules.UNLIMITED;
    // Guarded by this.
    private Rules rules = Rules.NONE;
    /** Buffers ever charged to shares that were removed, and the bytes in them. */
    private long formerAllocations;

    private long formerBytes;

    /**
     * Creates an account without charges.
     *
     * @param id the client
     */
    public ClientAccount(ClientId id) {
        this.id = id;
    }

    public ClientId id() {
        return id;
    }

    public WaitTimes waits() {
        return waits;
    }

    public FailureCounts failures() {
        return failures;
    }

    DurationCounts allocationTimes() {
        return allocationTimes;
    }

    /**
     * Counts a reference that this client lost.
     *
     * @param heap the account of the buffer's heap
     */
    public void leaked(HeapAccount heap) {
        leaked.incrementAndGet();
        heap.leaked();
    }

    /** Writes the counts of past events into a record. */
    public UsageRecord.Builder counts(UsageRecord.Builder record) {
        return waits.to(record)
                .failures(failures.byCause())
                .allocationTimes(allocationTimes.histogram())
                .leaked(leaked.get());
    }

    boolean limited() {
        return limit != Rules.UNLIMITED;
    }

    /** {@return this client's share of a heap's account} */
    public ClientHeapAccount in(HeapAccount account) {
        ClientHeapAccount share = shares.get(account);
        return share != null ? share : open(account);
    }

    /** Creates a share under the lock that {@link #apply} takes, so its limit is set here or there. */
    private synchronized ClientHeapAccount open(HeapAccount account) {
        return shares.computeIfAbsent(account, heap -> {
            ClientHeapAccount share = new ClientHeapAccount(this, heap);
            share.counters.limit = rules.limit(id, heap.heap());
            return share;
        });
    }

    public Collection<ClientHeapAccount> shares() {
        return shares.values();
    }

    /** Removes the share of a heap's account that is closed. The share has no charges. */
    synchronized void forget(HeapAccount account) {
        ClientHeapAccount share = shares.remove(account);
        if (share != null) {
            UsageSnapshot last = share.snapshot();
            formerAllocations += last.allocations();
            formerBytes += last.allocatedBytes();
        }
    }

    public synchronized void apply(Rules now) {
        rules = now;
        limit = now.limit(id);
        shares.forEach((account, share) -> share.counters.limit = now.limit(id, account.heap()));
    }

    /**
     * Counts bytes against the limit.
     *
     * @return the quota that they would exceed, with nothing counted, or empty
     */
    public Optional<QuotaExceeded> add(long size) {
        long before;
        long most;
        do {
            before = used.get();
            most = limit;
            if (size > most - before) {
                return Optional.of(QuotaExceeded.client(before, most));
            }
        } while (!used.compareAndSet(before, before + size));
        raisePeak(before + size);
        return Optional.empty();
    }

    /** Raises the peak without allocating Java memory: this must not fail once the bytes are counted. */
    private void raisePeak(long bytes) {
        long most = peak.get();
        while (bytes > most && !peak.compareAndSet(most, bytes)) {
            most = peak.get();
        }
    }

    void subtract(long size) {
        used.addAndGet(-size);
    }

    /** {@return the peak so far; the next peak begins with the bytes that are charged and reserved now} */
    long restartPeak() {
        long before = peak.getAndSet(0);
        raisePeak(used.get()); // bytes added meanwhile have raised the peak or are read here
        return before;
    }

    /** {@return whether no bytes are charged or reserved} */
    public boolean settled() {
        return used.get() == 0;
    }

    /** {@return the sums over all heaps; the peak includes bytes that were reserved for calls} */
    public synchronized UsageSnapshot snapshot() {
        Collection<UsageSnapshot> all =
                shares.values().stream().map(ClientHeapAccount::snapshot).toList();
        return new UsageSnapshot(
                sum(all, UsageSnapshot::liveBuffers),
                sum(all, UsageSnapshot::liveBytes),
                sum(all, UsageSnapshot::lingeringBuffers),
                sum(all, UsageSnapshot::lingeringBytes),
                peak.get(),
                limit,
                formerAllocations + sum(all, UsageSnapshot::allocations),
                formerBytes + sum(all, UsageSnapshot::allocatedBytes));
    }

    private static long sum(Collection<UsageSnapshot> all, ToLongFunction<UsageSnapshot> of) {
        return all.stream().mapToLong(of).sum();
    }
}
