// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.List;
import java.util.Optional;

/**
 * What one buffer is charged, to its heap and to the client that made it: reserved before the heap is called where a
 * quota applies, charged from when the buffer is there until nobody uses its memory. It is live first, may linger then,
 * and ends once. Whoever has the charge calls its methods one after the other.
 */
public final class Charge {
    /**
     * What a dump tells of one buffer that is charged.
     *
     * @param client symbolic name of who is charged
     * @param name for people
     * @param size bytes
     * @param since when it was charged, by {@link CoarseClock}
     * @param site where it was allocated, empty when that was not asked for
     * @param buffer as long as it is live
     * @param lingering whether it is held elsewhere alone
     */
    public record Entry(
            String client,
            String name,
            long size,
            long since,
            List<StackTraceElement> site,
            Optional<Charged> buffer,
            boolean lingering) {}

    private final ClientHeapAccount share;
    private final long since;
    private final List<StackTraceElement> site;
    private long reserved;
    private long size;
    private boolean lingering;
    private boolean uncharged;
    private boolean ended;

    // The rest is guarded by the account: who dumps it reads.

    /** Null before it is charged, and from when it lingers: the heap's classes must be free to go then. */
    private Charged buffer;

    private String name = "";
    private Charge previous;
    private Charge next;

    /**
     * A charge of nothing so far.
     *
     * @param share of the client in the heap's account
     * @param since now, as {@link CoarseClock} tells it
     * @param site where the buffer is allocated, empty when nobody wants to know
     */
    public Charge(ClientHeapAccount share, long since, List<StackTraceElement> site) {
        this.share = share;
        this.since = since;
        this.site = site;
    }

    /** {@return what closes a ring of charges} */
    static Charge ring() {
        Charge head = new Charge(null, 0, List.of());
        head.previous = head;
        head.next = head;
        return head;
    }

    public ClientHeapAccount share() {
        return share;
    }

    /** {@return where the buffer was allocated, innermost call first; empty when that is not kept} */
    public List<StackTraceElement> site() {
        return site;
    }

    /**
     * Sets aside what the heap will be asked for, where there is a quota.
     *
     * @param wanted bytes
     * @return the quota that they do not fit, or empty
     */
    public Optional<QuotaExceeded> reserve(long wanted) {
        return share.limited() ? setAside(wanted) : Optional.empty();
    }

    /**
     * As {@link #reserve}, also where there is no quota yet. What was set aside is charged whatever quotas come
     * meanwhile.
     *
     * @param wanted bytes
     * @return the quota that they do not fit, or empty
     */
    public Optional<QuotaExceeded> setAside(long wanted) {
        Optional<QuotaExceeded> over = share.client().add(wanted);
        if (over.isEmpty()) {
            try {
                over = share.account().reserve(share, wanted);
                if (over.isEmpty()) {
                    reserved = wanted;
                }
            } finally {
                if (reserved == 0) {
                    share.client().subtract(wanted);
                }
            }
        }
        return over;
    }

    /** Gives back what was set aside and is not charged: the heap gave no buffer. */
    public void cancel() {
        if (reserved > 0) {
            share.account().unreserve(share, reserved);
            share.client().subtract(reserved);
            reserved = 0;
        }
    }

    /**
     * Charges a buffer that is there.
     *
     * @param made the buffer; it may be larger than was asked for
     * @return the quota that it does not fit; what was set aside is so still
     */
    public Optional<QuotaExceeded> begin(Charged made) {
        long more = made.size() - reserved;
        Optional<QuotaExceeded> over = more == 0 ? Optional.empty() : share.client().add(more);
        if (over.isEmpty()) {
            boolean charged = false;
            try {
                size = made.size();
                buffer = made;
                over = share.account().charge(this, size, reserved);
                charged = over.isEmpty();
            } finally {
                if (charged) {
                    reserved = 0;
                } else {
                    share.client().subtract(more);
                }
            }
        }
        return over;
    }

    /** Nothing here uses the memory any more, and holders may. Doing it twice does nothing. */
    public void linger() {
        if (!lingering) {
            share.account().linger(this, size);
            lingering = true;
        }
    }

    /** The memory is not used any more. Doing it twice does nothing: each step is done once. */
    public void end() {
        if (!uncharged) {
            share.account().uncharge(this, size, lingering);
            uncharged = true;
        }
        if (!ended) {
            share.client().subtract(size);
            ended = true;
        }
    }

    // Under the lock of the account.

    void link(Charge head) {
        next = head;
        previous = head.previous;
        previous.next = this;
        head.previous = this;
    }

    void unlink() {
        previous.next = next;
        next.previous = previous;
        buffer = null;
    }

    void letGo() {
        name = buffer.name();
        buffer = null;
    }

    Charge next() {
        return next;
    }

    Entry entry() {
        return new Entry(
                share.client().bundle(),
                buffer == null ? name : buffer.name(),
                size,
                since,
                site,
                Optional.ofNullable(buffer),
                buffer == null);
    }
}
