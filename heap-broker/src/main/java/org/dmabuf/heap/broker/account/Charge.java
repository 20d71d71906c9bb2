// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.ClientId;

/**
 * Charge of one buffer to its heap and to the client that allocated it. Where a quota applies, the bytes are
 * reserved before the heap is called. They are charged from when the buffer exists until its memory has no holder. A
 * charge is live first, may linger then, and ends once. Its owner calls its methods one after the other.
 */
public final class Charge {
    /**
     * One charged buffer in a dump.
     *
     * @param client the client that is charged
     * @param origin the client's process and where it runs; empty if unknown
     * @param name for listings
     * @param file of its descriptors; empty before the first export
     * @param size bytes
     * @param since when it was charged, in nanoseconds of {@link CoarseClock}
     * @param site where it was allocated; empty when sites are not recorded
     * @param buffer the buffer, empty once it lingers
     * @param lingering whether only holders outside this process use its memory
     */
    public record Entry(
            ClientId client,
            String origin,
            Optional<String> name,
            Optional<ExportedFile> file,
            long size,
            long since,
            List<StackTraceElement> site,
            Optional<Charged> buffer,
            boolean lingering) {}

    private final ClientHeapAccount share;
    private final String origin;
    private final ReturnSignal returned;
    private final long since;
    private final List<StackTraceElement> site;
    private long reserved;
    private long size;
    private boolean lingering;
    private boolean uncharged;
    private boolean ended;

    // The rest is guarded by the account: a dump reads it on another thread.

    /** Null before the charge begins and once it lingers, so that the heap's classes can be unloaded. */
    private Charged buffer;

    private Optional<String> name = Optional.empty();
    private Optional<ExportedFile> file = Optional.empty();
    /** The neighbours in the account's list, null at its ends. */
    private Charge older;

    private Charge newer;

    /**
     * Creates a charge of 0 bytes.
     *
     * @param share the client's part of the heap's account
     * @param origin the client's process and where it runs; empty if unknown
     * @param since now, in nanoseconds of {@link CoarseClock}
     * @param site where the buffer is allocated; empty when sites are not recorded
     * @param returned is signalled when the charge ends
     */
    public Charge(
            ClientHeapAccount share, String origin, long since, List<StackTraceElement> site, ReturnSignal returned) {
        this.share = share;
        this.origin = origin;
        this.returned = returned;
        this.since = since;
        this.site = site;
    }

    public ClientHeapAccount share() {
        return share;
    }

    /** {@return where the buffer was allocated, innermost call first; empty when sites are not recorded} */
    public List<StackTraceElement> site() {
        return site;
    }

    /**
     * Reserves the bytes that the heap will be asked for, if a quota applies.
     *
     * @param wanted bytes
     * @return the quota that they would exceed, or empty
     */
    public Optional<QuotaExceeded> reserve(long wanted) {
        return share.limited() ? setAside(wanted) : Optional.empty();
    }

    /**
     * Reserves bytes as {@link #reserve} does, but also when no quota applies yet. Reserved bytes can be charged even
     * if a quota is configured meanwhile.
     *
     * @param wanted bytes
     * @return the quota that they would exceed, or empty
     */
    public Optional<QuotaExceeded> setAside(long wanted) {
        Optional<QuotaExceeded> exceeded = share.client().add(wanted);
        if (exceeded.isEmpty()) {
            try {
                exceeded = share.account().reserve(share, wanted);
                if (exceeded.isEmpty()) {
                    reserved = wanted;
                }
            } finally {
                if (reserved == 0) {
                    share.client().subtract(wanted);
                }
            }
        }
        return exceeded;
    }

    /** Cancels the reservation, because the heap returned no buffer. */
    public void cancel() {
        if (reserved > 0) {
            share.account().unreserve(share, reserved);
            share.client().subtract(reserved);
            reserved = 0; // no signal: a waiting request would wake itself with each failed attempt
        }
    }

    /**
     * Charges a buffer that the heap has returned.
     *
     * @param made the buffer; it may be larger than was asked for
     * @return the quota that it would exceed, or empty; if a quota would be exceeded, the reservation stays
     */
    public Optional<QuotaExceeded> begin(Charged made) {
        long more = made.size() - reserved;
        Optional<QuotaExceeded> exceeded =
                more == 0 ? Optional.empty() : share.client().add(more);
        if (exceeded.isEmpty()) {
            boolean charged = false;
            try {
                size = made.size();
                buffer = made;
                exceeded = share.account().charge(this, size, reserved);
                charged = exceeded.isEmpty();
            } finally {
                if (charged) {
                    reserved = 0;
                } else {
                    share.client().subtract(more);
                }
            }
        }
        return exceeded;
    }

    /**
     * Marks the charge as lingering: this process no longer uses the memory, but other holders may. A second call does
     * nothing.
     */
    public void linger() {
        if (!lingering) {
            share.account().linger(this, size);
            lingering = true;
        }
    }

    /** Ends the charge, because the memory has no holder. Each step runs once, so a second call does nothing. */
    public void end() {
        if (!uncharged) {
            share.account().uncharge(this, size, lingering);
            uncharged = true;
        }
        if (!ended) {
            share.client().subtract(size);
            ended = true;
            returned.signal();
        }
    }

    // Under the lock of the account.

    /** Links this charge before the newest one, which is null in an empty list. */
    void link(Charge newest) {
        older = newest;
        if (newest != null) {
            newest.newer = this;
        }
    }

    void unlink() {
        if (older != null) {
            older.newer = newer;
        }
        if (newer != null) {
            newer.older = older;
        }
        older = null; // a client may keep a closed reference, which must not keep the charges of other buffers
        newer = null;
        buffer = null;
    }

    void letGo() {
        name = buffer.name();
        file = buffer.file();
        buffer = null;
    }

    Charge older() {
        return older;
    }

    Entry entry() {
        return new Entry(
                share.client().id(),
                origin,
                buffer == null ? name : buffer.name(),
                buffer == null ? file : buffer.file(),
                size,
                since,
                site,
                Optional.ofNullable(buffer),
                buffer == null);
    }
}
