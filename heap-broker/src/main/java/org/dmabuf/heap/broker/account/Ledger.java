// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.broker.release.Reaper;

/**
 * Ledger of the broker: the accounts of all heaps and clients, under the rules in force. A change of the rules
 * changes limits and keeps the sums. Memory above a lowered limit stays charged, and further charges are refused.
 */
public final class Ledger {
    /** The common prefix of the names of all broker classes. */
    private static final String OWN = "org.dmabuf.heap.broker.";

    private static final int SITE_DEPTH = 32;

    private final List<HeapAccount> heaps = new ArrayList<>();
    private final Map<ClientId, Entry> clients = new HashMap<>();
    private volatile Rules rules = Rules.NONE;
    private final CoarseClock clock = new CoarseClock();
    private final Function<String, Reaper> reapers;
    private final ReturnSignal returns = new ReturnSignal();
    private final Peaks peaks = new Peaks();
    private volatile boolean sites;
    /** Monitors that want allocations timed. */
    private final AtomicInteger timers = new AtomicInteger();

    public Ledger() {
        this(Reaper::new);
    }

    /** Creates a ledger with reapers that a test supplies, one for each heap name. */
    public Ledger(Function<String, Reaper> reapers) {
        this.reapers = reapers;
    }

    /** A client's account with the number of brokers and views that use it. */
    private static final class Entry {
        final ClientAccount account;
        int users;

        Entry(ClientAccount account) {
            this.account = account;
        }
    }

    /** Starts the thread of the clock, which runs until {@link #stop}. */
    public void start() {
        clock.start();
    }

    /**
     * Stops the clock and the reapers. Waits until all pending releases are done, for at most {@link Reaper#PATIENCE}
     * in all.
     */
    public void stop() {
        clock.stop();
        List<Reaper> all = heaps().stream().map(HeapAccount::reaper).toList();
        all.forEach(Reaper::stop);
        long deadline = System.nanoTime() + Reaper.PATIENCE;
        all.forEach(reaper -> reaper.join(deadline));
    }

    /** Sets whether the site of each allocation is recorded from now on. */
    public void keepSites(boolean kept) {
        sites = kept;
    }

    /**
     * Makes a charge of 0 bytes, with the site of the calling thread if sites are recorded.
     *
     * @param origin the client's process and where it runs; empty if unknown
     */
    public Charge charge(ClientAccount client, String origin, HeapAccount account) {
        return new Charge(client.in(account), origin, clock.now(), sites ? site() : List.of(), returns);
    }

    /** Returns the calls on this thread's stack, from the innermost one outside the broker. */
    private static List<StackTraceElement> site() {
        return StackWalker.getInstance()
                .walk(frames -> frames.dropWhile(frame -> frame.getClassName().startsWith(OWN))
                        .limit(SITE_DEPTH)
                        .map(StackWalker.StackFrame::toStackTraceElement)
                        .toList());
    }

    /** Times a sample of the allocations until {@link #endTiming} was called as often. */
    public void beginTiming() {
        timers.incrementAndGet();
    }

    public void endTiming() {
        timers.decrementAndGet();
    }

    /** {@return whether to time the allocation of a charge} */
    public boolean isTimed(Charge charge) {
        return timers.get() > 0 && charge.share().isSampled();
    }

    /** {@return the signal that charged memory was returned} */
    public ReturnSignal returns() {
        return returns;
    }

    /** {@return the peaks that monitors show} */
    public Peaks peaks() {
        return peaks;
    }

    public Rules rules() {
        return rules;
    }

    public synchronized void apply(Rules now) {
        rules = now;
        heaps.forEach(account -> account.apply(now));
        clients.values().forEach(entry -> entry.account.apply(now));
        returns.signal();
    }

    /** {@return a new account for a heap of this name, to be closed by {@link #close}} */
    public synchronized HeapAccount open(String heap) {
        HeapAccount account = new HeapAccount(heap, () -> reapers.apply(heap));
        account.apply(rules);
        heaps.add(account);
        return account;
    }

    /** Sets the quota that the heap of an account announces. */
    public synchronized void announced(HeapAccount account, long quota) {
        account.announced(quota, rules);
    }

    /** Removes an account that has no charges and gets no more. */
    public synchronized void close(HeapAccount account) {
        heaps.remove(account);
        clients.values().forEach(entry -> entry.account.forget(account));
        prune();
    }

    /** {@return the account of a client, to be given up by {@link #leave}} */
    public synchronized ClientAccount enter(ClientId client) {
        prune();
        Entry entry = clients.computeIfAbsent(client, id -> {
            ClientAccount account = new ClientAccount(id);
            account.apply(rules);
            return new Entry(account);
        });
        entry.users++;
        return entry.account;
    }

    /** Ends what {@link #enter} began. When it throws, it can be called again. */
    public synchronized void leave(ClientAccount account) {
        clients.get(account.id()).users--; // no step before this needs memory: a caller that gets an error calls again
        try {
            prune();
        } catch (OutOfMemoryError | StackOverflowError e) {
            // The next new client or the next listing prunes.
        }
    }

    /** {@return the accounts of heaps that are present or have charged memory} */
    public synchronized List<HeapAccount> heaps() {
        return List.copyOf(heaps);
    }

    /** {@return the accounts of clients that run or have charged memory, in the order of their identities} */
    public synchronized List<ClientAccount> clients() {
        prune();
        return clients.values().stream()
                .map(entry -> entry.account)
                .sorted((one, other) -> one.id().compareTo(other.id()))
                .toList();
    }

    /**
     * Removes clients that do not run and have no charges. A client that restarts gets the account with its lingering
     * buffers back.
     */
    private void prune() {
        clients.values().removeIf(entry -> entry.users == 0 && entry.account.settled());
    }
}
