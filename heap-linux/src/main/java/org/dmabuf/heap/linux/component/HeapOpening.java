// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

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
 * Opening of one heap with valid settings. If a resource is short or a device is missing, the cause may end: an
 * operator raises a limit or permits a node, a process exits, huge pages are added, or a driver is loaded. A daemon
 * thread {@code dmaheap-start-NAME} then repeats the opening, after 1 s at first and every 10 s later. The log reports
 * the cause and its end once.
 *
 * <p>While the heap waits or cannot be opened, an {@link UnavailableHeap} is registered, from which the broker lists
 * the heap with the reason.
 *
 * <p>Any thread may call any method.
 */
final class HeapOpening implements AutoCloseable {
    private static final QuietLog LOG = new QuietLog(HeapOpening.class);

    private static final long FIRST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);
    /** How long a close waits for an attempt in progress. */
    private static final long PATIENCE_MILLIS = 2000;

    /** Failures after which an opening is repeated. */
    enum Repeated {
        /** A resource is short. The caller has another heap if a device is missing. */
        AFTER_SHORTAGE,
        /** A resource is short, or a device is missing or forbidden. */
        AFTER_LACK,
        /** Any, because the heap has served with these settings. */
        ALWAYS
    }

    private final HeapSettings settings;
    private final Function<Map<String, Object>, Runnable> listing;
    private final Supplier<Runnable> opening;
    private final Repeated repeated;

    // Guarded by this.
    private Runnable withdrawal;
    /** Unregisters the heap's {@link UnavailableHeap}. */
    private Runnable listingEnd = () -> {};

    private Thread thread;
    /** Why the heap waits; null when it does not wait. */
    private String shortage;
    /** Why the last change of the configuration was refused; empty if it was not. */
    private String refusal = "";

    /** Error of the last listing. After the thread has started, only the thread uses it. */
    private Errno lack;

    /** Why the heap cannot be opened until its configuration changes; null when it can. */
    private String failure;

    private boolean closed;

    private HeapOpening(
            HeapSettings settings,
            Function<Map<String, Object>, Runnable> listing,
            Supplier<Runnable> opening,
            Repeated repeated) {
        this.repeated = repeated;
        this.settings = settings;
        this.listing = Objects.requireNonNull(listing);
        this.opening = Objects.requireNonNull(opening);
    }

    /**
     * Opens a heap now, or later if a resource is short or a device is missing.
     *
     * @param listing registers the service {@link UnavailableHeap} with the given properties, and returns an action
     *     that unregisters it
     * @param opening allocates the heap's memory, registers the heap, and returns an action that withdraws it
     * @param repeated failures after which the opening is repeated
     */
    static HeapOpening begin(
            HeapSettings settings,
            Function<Map<String, Object>, Runnable> listing,
            Supplier<Runnable> opening,
            Repeated repeated) {
        HeapOpening heap = new HeapOpening(settings, listing, opening, repeated);
        try {
            heap.withdrawal = opening.get();
        } catch (HeapException e) {
            if (heap.isRepeatedAfter(e)) {
                heap.tryLater(e);
            } else {
                heap.giveUp(e);
            }
        } catch (OutOfMemoryError e) { // a shortage like the others
            heap.tryLater(HeapException.of(
                    Errno.ENOMEM,
                    settings.heap(),
                    "Java has too little memory: " + e.getMessage() + "; give it more with -Xmx in JAVA_OPTS"));
        } catch (RuntimeException | Error e) {
            if (repeated == Repeated.ALWAYS) {
                heap.tryLater(heap.bug(e));
            } else if (e instanceof Error error) {
                throw error;
            } else {
                heap.giveUp(e);
            }
        }
        return heap;
    }

    private boolean isRepeatedAfter(HeapException cause) {
        return repeated == Repeated.ALWAYS
                || cause.errno().isTransient()
                || repeated == Repeated.AFTER_LACK && BackEnds.mayCome(cause);
    }

    private HeapException bug(Throwable cause) {
        return HeapException.of(Errno.EIO, settings.heap(), cause.toString(), cause);
    }

    /** Lists a heap that cannot be opened. */
    static HeapOpening refused(HeapSettings settings, Function<Map<String, Object>, Runnable> listing, String reason) {
        HeapOpening heap = new HeapOpening(settings, listing, () -> HeapRegistration.NOTHING, Repeated.AFTER_SHORTAGE);
        heap.failure = reason;
        heap.listingEnd = listing.apply(settings.unavailable(reason, false));
        return heap;
    }

    /** {@return whether the heap cannot be opened until its configuration changes} */
    synchronized boolean isFailed() {
        return failure != null;
    }

    /** {@return why the heap cannot be opened until its configuration changes, or null when it can} */
    synchronized String failure() {
        return failure;
    }

    /**
     * Adds the refusal of a changed configuration to the reason of a heap that waits. Otherwise the list would show
     * only the shortage, which the change was meant to end. A heap that serves is not changed.
     *
     * @param reason of the refusal; empty to remove it
     */
    void refuseChange(String reason) {
        synchronized (this) {
            refusal = reason;
        }
        relist();
    }

    /** {@return whether the opening has succeeded, also for a heap without memory} */
    synchronized boolean isOpen() {
        return withdrawal != null;
    }

    /** {@return whether the heap has memory and serves} */
    synchronized boolean serves() {
        return withdrawal != null && withdrawal != HeapRegistration.NOTHING;
    }

    private synchronized void tryLater(HeapException cause) {
        lack = cause.errno();
        shortage = cause.reason();
        listingEnd = listing.apply(settings.unavailable(shortage, true));
        boolean started = false;
        try {
            // The thread inherits nothing, because the caller may have the class loader of a vendor.
            thread = Thread.ofPlatform()
                    .name("dmaheap-start-" + settings.heap())
                    .daemon()
                    .inheritInheritableThreadLocals(false)
                    .unstarted(this::tryAgain);
            thread.setContextClassLoader(null);
            log(cause);
            thread.start(); // last: an exception after it would leave an opened heap that is never withdrawn
            started = true;
        } finally {
            if (!started) {
                endListing();
            }
        }
    }

    private void log(HeapException shortage) {
        LOG.warn(
                "heap '{}' is not announced yet: {}. It is opened without a restart when the cause is gone;"
                        + " the opening is repeated every {} s",
                settings.heap(),
                shortage.reason(),
                TimeUnit.NANOSECONDS.toSeconds(LONGEST_PAUSE_NANOS));
    }

    /** Lists and logs a shortage, if its error differs from that of the last attempt. */
    private void relist(HeapException cause) {
        if (cause.errno() == lack) {
            return; // the figures in the message differ at each attempt, so messages are not compared
        }
        synchronized (this) {
            shortage = cause.reason();
        }
        try {
            relist();
        } catch (OutOfMemoryError e) {
            return; // the next attempt lists it
        }
        lack = cause.errno();
        log(cause);
    }

    /** Lists the present reason, and repeats that if another thread has changed it meanwhile. */
    private void relist() {
        String listed = null;
        for (String now = reason(); now != null && !now.equals(listed); now = reason()) {
            Runnable next = listing.apply(settings.unavailable(now, true));
            Runnable ended;
            synchronized (this) {
                boolean waits = reason() != null;
                ended = waits ? listingEnd : next;
                listingEnd = waits ? next : listingEnd;
            }
            end(ended);
            listed = now;
        }
    }

    /** {@return why the heap waits, or null when it does not wait} */
    private synchronized String reason() {
        if (closed || shortage == null || refusal.isEmpty()) {
            return closed ? null : shortage;
        }
        return shortage + ". The new configuration is refused: " + refusal;
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
            shortage = null;
        }
        end(end);
    }

    private static void end(Runnable listing) {
        try {
            listing.run();
        } catch (IllegalStateException e) {
            // The bundle has stopped, and the framework has already unregistered the service.
        }
    }

    /** {@return false when the heap cannot be opened and is listed with the reason} */
    private boolean open() {
        long pause = FIRST_PAUSE_NANOS;
        while (isOpenAfter(pause)) {
            Runnable opened = null;
            boolean nameTaken = false;
            try {
                opened = opening.get();
            } catch (HeapException e) {
                if (!isRepeatedAfter(e) && !BackEnds.mayCome(e)) {
                    return !giveUp(e);
                }
                relist(e);
                nameTaken = e.errno() == Errno.EAGAIN; // from FreeName: the check is cheap, and the heap waits
            } catch (OutOfMemoryError e) {
                // Treated as a shortage.
            } catch (RuntimeException | Error e) {
                if (repeated != Repeated.ALWAYS) {
                    return !giveUp(e);
                }
                relist(bug(e));
            }
            if (opened != null) {
                announce(opened); // outside the attempt: a failure to log must not open the heap twice
                return true;
            }
            pause = nameTaken ? FIRST_PAUSE_NANOS : Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
        return true;
    }

    /** {@return false if this object was closed meanwhile} */
    private synchronized boolean isOpenAfter(long nanos) {
        long deadline = System.nanoTime() + nanos;
        long left;
        while (!closed && (left = deadline - System.nanoTime()) > 0) {
            try {
                wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            } catch (InterruptedException e) {
                // This thread is not interrupted on purpose, and close() notifies it.
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
            LOG.info("heap '{}': the cause is gone, and the heap is announced", settings.heap());
        }
    }

    /** {@return whether the heap is listed as failed; false if this object was closed meanwhile} */
    private boolean giveUp(Throwable cause) {
        String reason = cause instanceof HeapException refusal ? refusal.reason() : cause.toString();
        synchronized (this) {
            if (closed) {
                return false; // the bundle is stopping, and the opening failed because of that
            }
        }
        endListing();
        Runnable end = listing.apply(settings.unavailable(reason, false));
        boolean kept;
        synchronized (this) {
            kept = !closed;
            if (kept) {
                failure = reason;
                listingEnd = end;
            }
        }
        if (!kept) {
            end.run();
            return false;
        }
        boolean refusal = cause instanceof HeapException; // needs no stack trace
        LOG.error(
                "opening heap '{}' failed and is not repeated{}; correct the cause, then restart its bundle or change"
                        + " its configuration",
                settings.heap(),
                refusal ? ": " + reason : "",
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

    /** Waits for an attempt in progress. An attempt that takes longer withdraws the heap itself. */
    private static void join(Thread trying) {
        try {
            trying.join(PATIENCE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
