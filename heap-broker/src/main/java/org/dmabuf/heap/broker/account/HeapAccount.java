// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * Account of one heap, identified by the heap's name: the sums, and the {@link Charge} of every buffer. It outlives
 * the heap as long as memory of the heap has a holder. Each buffer is charged once. It is live while this process uses
 * it, then lingering while only other holders use it.
 *
 * <p>Its lock guards its own sums, the sums of its {@link ClientHeapAccount}s, and the list of charges. No other work
 * is done under this lock.
 */
public final class HeapAccount {
    private final String heap;
    private final UsageCounters counters = new UsageCounters();
    /** The reaper of the heap that is registered now. Buffers of an earlier heap of the same name keep their reaper. */
    private volatile Reaper reaper;

    private final Supplier<Reaper> reapers;
    private final FailureCounts failures = new FailureCounts();
    private final WaitTimes waits = new WaitTimes();
    private final DurationCounts allocationTimes = new DurationCounts();
    private final AtomicLong leaked = new AtomicLong();
    /** Guarded by this. */
    private long announced = Rules.UNLIMITED;
    /** Whether the limit is the one that the heap announced; guarded by this. */
    private boolean own;

    /** The newest charge, from which the others are linked; null without charges. Guarded by this. */
    private Charge newest;

    /**
     * Creates an account without charges.
     *
     * @param heap name, for messages
     */
    public HeapAccount(String heap) {
        this(heap, () -> new Reaper(heap));
    }

    /** Creates an account with reapers that a test supplies. */
    public HeapAccount(String heap, Supplier<Reaper> reapers) {
        this.heap = heap;
        this.reapers = reapers;
        reaper = reapers.get();
    }

    /** {@return the reaper that unmaps and releases buffers of this heap} */
    public Reaper reaper() {
        return reaper;
    }

    /**
     * Prepares the account for a new heap of this name. The new heap must not wait for calls that hang in the code of
     * its predecessor.
     */
    public void renew() {
        if (reaper.hangs()) {
            reaper = reapers.get();
        }
    }

    public String heap() {
        return heap;
    }

    boolean limited() {
        return counters.limited();
    }

    public FailureCounts failures() {
        return failures;
    }

    public WaitTimes waits() {
        return waits;
    }

    DurationCounts allocationTimes() {
        return allocationTimes;
    }

    /** Counts a reference to a buffer of this heap that a client lost. */
    void leaked() {
        leaked.incrementAndGet();
    }

    /** Writes the counts of past events into a record. */
    public UsageRecord.Builder counts(UsageRecord.Builder record) {
        return waits.to(record)
                .failures(failures.byCause())
                .allocationTimes(allocationTimes.histogram())
                .leaked(leaked.get());
    }

    /**
     * Reserves bytes for a coming charge.
     *
     * @return the quota that they would exceed, with nothing reserved, or empty
     */
    synchronized Optional<QuotaExceeded> reserve(ClientHeapAccount share, long size) {
        Optional<QuotaExceeded> exceeded = exceeded(share, size);
        if (exceeded.isEmpty()) {
            counters.reserve(size);
            share.counters.reserve(size);
        }
        return exceeded;
    }

    synchronized void unreserve(ClientHeapAccount share, long size) {
        counters.unreserve(size);
        share.counters.unreserve(size);
    }

    /**
     * Charges a buffer.
     *
     * @param reserved bytes of it that were reserved; the charge replaces the reservation
     * @return the quota that it would exceed, with the reservation unchanged, or empty
     */
    public synchronized Optional<QuotaExceeded> charge(Charge charge, long size, long reserved) {
        ClientHeapAccount share = charge.share();
        Optional<QuotaExceeded> exceeded = size == reserved ? Optional.empty() : exceeded(share, size - reserved);
        if (exceeded.isEmpty()) {
            counters.unreserve(reserved);
            share.counters.unreserve(reserved);
            counters.charge(size);
            share.counters.charge(size);
            charge.link(newest);
            newest = charge;
        }
        return exceeded;
    }

    synchronized void linger(Charge charge, long size) {
        counters.linger(size);
        charge.share().counters.linger(size);
        charge.letGo();
    }

    public synchronized void uncharge(Charge charge, long size, boolean lingering) {
        counters.uncharge(size, lingering);
        charge.share().counters.uncharge(size, lingering);
        if (newest == charge) {
            newest = charge.older();
        }
        charge.unlink();
    }

    private Optional<QuotaExceeded> exceeded(ClientHeapAccount share, long size) {
        if (!counters.fits(size)) {
            return Optional.of(QuotaExceeded.heap(counters.used(), counters.limit, own));
        }
        if (!share.counters.fits(size)) {
            return Optional.of(QuotaExceeded.clientOnHeap(share.counters.used(), share.counters.limit));
        }
        return Optional.empty();
    }

    /** Sets the quota that the heap announces. A configured quota takes precedence. */
    synchronized void announced(long quota, Rules rules) {
        announced = quota;
        apply(rules);
    }

    synchronized void apply(Rules rules) {
        own = !rules.limits(heap);
        counters.limit = own ? announced : rules.heapLimit(heap);
    }

    /** {@return buffers that are charged, live or lingering} */
    public synchronized long buffers() {
        return counters.buffers();
    }

    /** {@return bytes in the buffers that are charged, live or lingering} */
    public synchronized long bytes() {
        return counters.bytes();
    }

    public synchronized UsageSnapshot snapshot() {
        return counters.snapshot();
    }

    public synchronized UsageSnapshot snapshot(ClientHeapAccount share) {
        return share.counters.snapshot();
    }

    synchronized long restartPeak(ClientHeapAccount share) {
        return share.counters.restartPeak();
    }

    synchronized long restartPeak() {
        return counters.restartPeak();
    }

    /** {@return every charge, oldest first} */
    public synchronized List<Charge.Entry> entries() {
        List<Charge.Entry> all = new ArrayList<>();
        for (Charge charge = newest; charge != null; charge = charge.older()) {
            all.add(charge.entry());
        }
        return all.reversed();
    }

    /** Counts a request that this heap did not serve. */
    public void failed(Errno cause) {
        failures.count(cause);
    }
}
