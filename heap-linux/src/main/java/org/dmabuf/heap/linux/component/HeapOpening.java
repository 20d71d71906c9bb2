// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.spi.UnavailableHeap;

/**
 * Opening of one heap with settings that are right. A shortage is no reason for the heap to be absent for good: a limit
 * is raised, a process ends, huge pages are added. So the heap is opened at once where the machine permits, and
 * otherwise by a daemon thread {@code dmaheap-start-NAME} that tries again, after 1 s at first and every 10 s later.
 * The shortage is logged once, and so is its end.
 *
 * <p>A heap that waits, or that cannot be opened, is listed by the broker with the reason: an {@link UnavailableHeap}
 * is registered for it until it is opened or closed.
 *
 * <p>Any thread may call any method.
 */
final class HeapOpening implements AutoCloseable {
    private static final QuietLog LOG = new QuietLog(HeapOpening.class);

    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);
    /** How long a close waits for an attempt that is under way. */
    private static final long PATIENCE_MILLIS = 2000;

    private final HeapSettings settings;
    private final Function<Map<String, Object>, Runnable> listing;
    private final Supplier<Runnable> opening;

    // Guarded by this.
    private Runnable withdrawal;
    /** Ends the listing as a heap that does not serve. */
    private Runnable listingEnd = () -> {};
    private Thread thread;
    /** What was lacking when it was listed last; of the thread, once that has started. */
    private Errno lack;
    private boolean failed;
    private boolean closed;

    private HeapOpening(
            HeapSettings settings,
            Function<Map<String, Object>, Runnable> listing,
            Supplier<Runnable> opening) {
        this.settings = settings;
        this.listing = Objects.requireNonNull(listing);
        this.opening = Objects.requireNonNull(opening);
    }

    /**
     * Opens a heap now, or later when the machine is short of something.
     *
     * @param listing registers the service {@link UnavailableHeap} with the given properties, and returns what
     *     unregisters it
     * @param opening takes the heap's memory, registers the heap, and returns what withdraws it
     */
    static HeapOpening begin(
            HeapSettings settings,
            Function<Map<String, Object>, Runnable> listing,
            Supplier<Runnable> opening) {
        HeapOpening heap = new HeapOpening(settings, listing, opening);
        try {
            heap.withdrawal = opening.get();
        } catch (HeapException e) {
            if (e.errno().isTransient()) {
                heap.tryLater(e);
            } else {
                heap.giveUp(e);
            }
        } catch (OutOfMemoryError e) { // a shortage like the others
            heap.tryLater(HeapException.of(
                    Errno.ENOMEM,
                    settings.heap(),
                    "Java has too little memory: " + e.getMessage() + "; give it more with -Xmx in JAVA_OPTS"));
        } catch (RuntimeException e) {
            heap.giveUp(e);
        }
        return heap;
    }

    /** Lists a heap as one that cannot be opened. */
    static HeapOpening refused(
            HeapSettings settings, Function<Map<String, Object>, Runnable> listing, String reason) {
        HeapOpening heap = new HeapOpening(settings, listing, () -> HeapRegistration.NOTHING);
        heap.failed = true;
        heap.listingEnd = listing.apply(settings.unavailable(reason, false));
        return heap;
    }

    /** {@return whether the heap cannot be opened, and waits for nothing but a change} */
    synchronized boolean isFailed() {
        return failed;
    }

    private synchronized void tryLater(HeapException shortage) {
        lack = shortage.errno();
        listingEnd = listing.apply(settings.unavailable(shortage.reason(), true));
        boolean started = false;
        try {
            // Inherits nothing: the thread that opens a heap may have a vendor's class loader.
            thread = Thread.ofPlatform()
                    .name("dmaheap-start-" + settings.heap())
                    .daemon()
                    .inheritInheritableThreadLocals(false)
                    .unstarted(this::tryAgain);
            thread.setContextClassLoader(null);
            log(shortage);
            thread.start(); // last: what throws after it would leave a heap that is opened and never withdrawn
            started = true;
        } finally {
            if (!started) {
                endListing();
            }
        }
    }

    private void log(HeapException shortage) {
        LOG.write(
                Level.WARNING,
                "heap ''{0}'' is not announced yet: {1}. It is opened without a restart when that is over, which is"
                        + " tried every {2} s",
                settings.heap(),
                shortage.reason(),
                TimeUnit.NANOSECONDS.toSeconds(LONGEST_PAUSE_NANOS));
    }

    /** Lists and logs what is lacking now, where that is of another kind than before. */
    private void relist(HeapException shortage) {
        if (shortage.errno() == lack) {
            return; // else a figure in the sentence would make a change of each attempt
        }
        Runnable next;
        try {
            next = listing.apply(settings.unavailable(shortage.reason(), true));
        } catch (OutOfMemoryError e) {
            return; // the next attempt lists it
        }
        lack = shortage.errno();
        Runnable ended;
        synchronized (this) {
            ended = closed ? next : listingEnd;
            listingEnd = closed ? listingEnd : next;
        }
        end(ended);
        log(shortage);
    }

    private void tryAgain() {
        boolean gaveUp = false;
        try {
            gaveUp = !open();
        } finally {
            if (!gaveUp) {
                endListing();
            }
        }
    }

    private void endListing() {
        Runnable end;
        synchronized (this) {
            end = listingEnd;
            listingEnd = () -> {};
        }
        end(end);
    }

    private static void end(Runnable listing) {
        try {
            listing.run();
        } catch (IllegalStateException e) {
            // The framework was first: the bundle has stopped.
        }
    }

    /** {@return false when the heap cannot be opened, and is listed so} */
    private boolean open() {
        long pause = FIRST_PAUSE_NANOS;
        while (isOpenAfter(pause)) {
            Runnable opened = null;
            boolean nameTaken = false;
            try {
                opened = opening.get();
            } catch (HeapException e) {
                if (!e.errno().isTransient()) {
                    return !giveUp(e);
                }
                relist(e);
                nameTaken = e.errno() == Errno.EAGAIN; // of FreeName: costs nothing to look at, and is waited for
            } catch (OutOfMemoryError e) {
                // A shortage like the others.
            } catch (RuntimeException | Error e) {
                return !giveUp(e);
            }
            if (opened != null) {
                announce(opened); // not within the attempt: a log that fails must not open the heap twice
                return true;
            }
            pause = nameTaken ? FIRST_PAUSE_NANOS : Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
        return true;
    }

    /** {@return false when this was closed meanwhile} */
    private synchronized boolean isOpenAfter(long nanos) {
        long deadline = System.nanoTime() + nanos;
        long left;
        while (!closed && (left = deadline - System.nanoTime()) > 0) {
            try {
                wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            } catch (InterruptedException e) {
                // No code has reason to interrupt this thread, and close() notifies it.
            }
        }
        return !closed;
    }

    private void announce(Runnable opened) {
        boolean kept;
        synchronized (this) {
            kept = !closed;
            if (kept) {
                withdrawal = opened;
            }
        }
        if (!kept) {
            opened.run();
        } else if (opened != HeapRegistration.NOTHING) {
            LOG.write(Level.INFO, "heap ''{0}'' has what it needs now, and is announced", settings.heap());
        }
    }

    /** {@return whether the heap is listed as one that cannot start; false when it was closed meanwhile} */
    private boolean giveUp(Throwable cause) {
        String reason = cause instanceof HeapException refusal ? refusal.reason() : cause.toString();
        synchronized (this) {
            if (closed) {
                return false; // the bundle stops, which ends what an opening needs
            }
        }
        endListing();
        Runnable end = listing.apply(settings.unavailable(reason, false));
        boolean kept;
        synchronized (this) {
            kept = !closed;
            if (kept) {
                failed = true;
                listingEnd = end;
            }
        }
        if (!kept) {
            end.run();
            return false;
        }
        boolean refusal = cause instanceof HeapException; // its sentence says all, and where it is from nothing
        LOG.failure(
                Level.ERROR,
                "heap '" + settings.heap() + "' cannot be opened, and is not tried again"
                        + (refusal ? ": " + reason : "")
                        + "; correct the cause, then restart its bundle or change its configuration",
                refusal ? null : cause);
        return true;
    }

    /** Withdraws the heap, or ends the attempts to open it. Closing twice does nothing. */
    @Override
    public void close() {
        Runnable opened;
        Thread trying;
        synchronized (this) {
            closed = true;
            opened = withdrawal;
            withdrawal = null;
            trying = thread;
            notifyAll();
        }
        endListing();
        if (opened != null) {
            opened.run();
        } else if (trying != null && trying != Thread.currentThread()) {
            join(trying);
        }
    }

    /** An attempt that takes longer withdraws by itself what it opens. */
    private static void join(Thread trying) {
        try {
            trying.join(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
