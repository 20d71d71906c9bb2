// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * What one heap, known by its name, has out: the sums, and every buffer with its {@link Charge}. It outlives the heap,
 * for as long as its memory is used by anybody. Each buffer is charged once: live while this process uses it, then
 * lingering while only holders do.
 *
 * <p>Its lock guards its own sums, those of the clients' {@link ClientHeapAccount}s in it and the list of charges.
 * Nothing else happens under it.
 */
public final class HeapAccount {
    private final String heap;
    private final UsageCounters counters = new UsageCounters();
    /** Of the heap that is here now. Buffers of one before it under the same name keep theirs. */
    private volatile Reaper reaper;

    private final Supplier<Reaper> reapers;
    private final FailureCounts failures = new FailureCounts();
    /** Guarded by this. */
    private long announced = Rules.UNLIMITED;
    /** Whether the limit is what the heap announced; guarded by this. */
    private boolean own;

    /** Closes the ring of charges. */
    private final Charge charges = Charge.ring();

    /**
     * An account that nothing is charged to.
     *
     * @param heap name, for messages
     */
    public HeapAccount(String heap) {
        this(heap, () -> new Reaper(heap));
    }

    /** As above, with reapers of a test's choice. */
    public HeapAccount(String heap, Supplier<Reaper> reapers) {
        this.heap = heap;
        this.reapers = reapers;
        reaper = reapers.get();
    }

    /** {@return what unmaps and releases buffers of this heap} */
    public Reaper reaper() {
        return reaper;
    }

    /** Another heap comes under this name: it does not wait for what hangs in the code of the one before. */
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

    /**
     * Sets aside what a call will charge.
     *
     * @return what it does not fit, with nothing set aside, or empty when it fits
     */
    synchronized Optional<QuotaExceeded> reserve(ClientHeapAccount share, long size) {
        Optional<QuotaExceeded> over = over(share, size);
        if (over.isEmpty()) {
            counters.reserve(size);
            share.counters.reserve(size);
        }
        return over;
    }

    synchronized void unreserve(ClientHeapAccount share, long size) {
        counters.unreserve(size);
        share.counters.unreserve(size);
    }

    /**
     * Charges a buffer.
     *
     * @param reserved bytes of it that were set aside, and are so no more when it fits
     * @return what it does not fit, or empty
     */
    public synchronized Optional<QuotaExceeded> charge(Charge charge, long size, long reserved) {
        ClientHeapAccount share = charge.share();
        Optional<QuotaExceeded> over = size == reserved ? Optional.empty() : over(share, size - reserved);
        if (over.isEmpty()) {
            counters.unreserve(reserved);
            share.counters.unreserve(reserved);
            counters.charge(size);
            share.counters.charge(size);
            charge.link(charges);
        }
        return over;
    }

    synchronized void linger(Charge charge, long size) {
        counters.linger(size);
        charge.share().counters.linger(size);
        charge.letGo();
    }

    public synchronized void uncharge(Charge charge, long size, boolean lingering) {
        counters.uncharge(size, lingering);
        charge.share().counters.uncharge(size, lingering);
        charge.unlink();
    }

    private Optional<QuotaExceeded> over(ClientHeapAccount share, long size) {
        if (!counters.fits(size)) {
            return Optional.of(QuotaExceeded.heap(counters.used(), counters.limit, own));
        }
        if (!share.counters.fits(size)) {
            return Optional.of(QuotaExceeded.share(share.counters.used(), share.counters.limit));
        }
        return Optional.empty();
    }

    /** Takes over what the heap announces as its quota, which one that is configured goes before. */
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

    /** {@return bytes in them} */
    public synchronized long bytes() {
        return counters.bytes();
    }

    public synchronized UsageSnapshot figures() {
        return counters.figures();
    }

    public synchronized UsageSnapshot figures(ClientHeapAccount share) {
        return share.counters.figures();
    }

    synchronized void resetPeak(ClientHeapAccount share) {
        share.counters.resetPeak();
    }

    public synchronized void resetPeak() {
        counters.resetPeak();
    }

    /** {@return what every buffer is charged, from the oldest charge} */
    public synchronized List<Charge.Entry> entries() {
        List<Charge.Entry> all = new ArrayList<>();
        for (Charge charge = charges.next(); charge != charges; charge = charge.next()) {
            all.add(charge.entry());
        }
        return all;
    }

    /** Counts a request that this heap did not serve. */
    public void failed(Errno cause) {
        failures.count(cause);
    }
}
