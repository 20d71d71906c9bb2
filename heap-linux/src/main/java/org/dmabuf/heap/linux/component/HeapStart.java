// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.ArrayDeque;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapOpening.Repeated;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.framework.BundleContext;

/**
 * Start of one heap, and its reconfiguration while the gateway runs. If a resource is short or a device is missing, a
 * daemon thread {@code dmaheap-start-NAME} repeats the start. The first repetition follows after 1 s, later ones every
 * 10 s. While the heap waits or cannot start, an {@link UnavailableHeap} is registered, from which the broker lists the
 * heap with the reason.
 *
 * <p>A component has one HeapStart and passes its configuration to {@code configure} on activation and on each change.
 * A mistake in an edited file thus leaves the heap unchanged:
 *
 * {@snippet :
 * private final HeapStart start;
 *
 * @Activate
 * public AcmeHeap(BundleContext context, Config config, Map<String, Object> properties) {
 *     start = HeapStart.of(context);
 *     configure(config, properties);
 * }
 *
 * @Modified
 * void configure(Config config, Map<String, Object> properties) {
 *     HeapSettings settings =
 *             HeapSettings.of(PID, "acme", properties, config.heap_name(), config::heap_id, config::heap_priority);
 *     start.configure(settings, () -> OpenedHeap.of(MemfdSource.open(settings.heap())));
 * }
 *
 * @Deactivate
 * void stop() {
 *     start.close();
 * }
 * }
 *
 * <p>One thread at a time may call {@code configure}, as Declarative Services does. Any thread may close.
 */
public final class HeapStart implements AutoCloseable {
    private static final QuietLog LOG = new QuietLog(HeapStart.class);

    /** How long a close waits for a change or a look in progress. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Function<Map<String, Object>, Runnable> listing;
    private final Announcer announcer;
    private final FactsWatch watch;
    private final Runnable look = this::look;

    // Guarded by this.
    /** Changes of the heap that wait for the present one. */
    private final Queue<Runnable> changes = new ArrayDeque<>();
    /** Thread that changes the heap, or null. */
    private Thread changing;
    /** Thread that looks for a better back end, or null. */
    private Thread looking;
    /** Null before the first configuration and during a change. */
    private HeapOpening opening;
    /** Settings with which the heap was opened; null without a heap. */
    private HeapSettings inForce;
    /** Opens the heap with those settings; null without a heap. */
    private Source source;

    private boolean watched;
    private boolean closed;

    /** Registers a heap and returns an action that withdraws it. */
    interface Announcer {
        Runnable announce(OpenedHeap opened, Map<String, Object> announcement);
    }

    HeapStart(Function<Map<String, Object>, Runnable> listing, Announcer announcer, FactsWatch watch) {
        this.listing = Objects.requireNonNull(listing);
        this.announcer = Objects.requireNonNull(announcer);
        this.watch = watch;
    }

    /**
     * Makes a start for a heap that is not configured yet.
     *
     * @param context the context of the heap's bundle. The bundle must import {@code org.dmabuf.heap.spi}, because the
     *     framework shows a service only if the registering bundle is wired to the service's type
     * @return the start, whose close withdraws the heap
     */
    public static HeapStart of(BundleContext context) {
        return new HeapStart(
                properties -> HeapRegistration.unavailable(context, properties),
                (opened, announcement) -> new HeapRegistration(context, announcement).register(opened),
                FactsWatch.MACHINE);
    }

    /**
     * Opens a heap and registers it as a service. A component that should keep its heap after an invalid change of the
     * configuration uses {@link #of} and {@link #configure(HeapSettings, Supplier)} instead.
     *
     * @param context as for {@link #of}
     * @param settings name, type, id and priority
     * @param opening as for {@link #configure(HeapSettings, Supplier)}; the broker lists an invalid setting that it
     *     reports
     * @return the start, whose close withdraws the heap
     */
    public static HeapStart begin(BundleContext context, HeapSettings settings, Supplier<OpenedHeap> opening) {
        HeapStart start = of(context);
        start.configure(settings, opening);
        return start;
    }

    /**
     * As {@link #configure(HeapSettings, Supplier, Function)}, for a heap that has only the common settings.
     *
     * @param settings name, type, id and priority
     * @param opening allocates the heap's memory
     */
    public void configure(HeapSettings settings, Supplier<OpenedHeap> opening) {
        configure(settings, () -> opening, Supplier::get);
    }

    /**
     * Opens a heap and registers it as a service, now, or later if a resource is short. The service is a
     * {@link org.dmabuf.heap.spi.HeapExporter}, and also a {@link org.dmabuf.heap.spi.RegionMap} if the source is one.
     * It has the properties of the settings and of the memory; those of the memory override the settings.
     *
     * <p>During another change of the heap, the call only queues the new one: while a better back end is opened, or
     * when a listener of the heap's service makes the call.
     *
     * <p>If there is already a heap, invalid settings are logged and the heap stays unchanged. Equal settings have no
     * effect. Other settings withdraw the heap and open it anew. If that fails for another reason than a shortage, the
     * heap is opened again with the previous settings, and that is repeated until it succeeds.
     *
     * <p>A device that is missing or forbidden is waited for like a resource that is short, unless the heap serves with
     * the previous settings. When a better back end of {@link BackEnds} works later, the heap is withdrawn and opened
     * anew; its buffers stay valid.
     *
     * @param settings name, type, id and priority
     * @param reading reads and checks the heap's other settings. It allocates no memory, and throws the exception of
     *     {@link Settings#wrong} for an invalid one
     * @param source allocates the heap's memory. If it throws, it must hold nothing. It may be called again on the
     *     daemon thread, until {@link #close} or the next configuration. The call is repeated after a HeapException of
     *     a {@link org.dmabuf.heap.Errno#isTransient shortage}. It is also repeated for a device that is missing or
     *     forbidden: after ENOENT, ENODEV, ENXIO and EACCES, and after EPERM of a device node. Any other exception is
     *     logged and listed
     * @param <P> type of the settings that were read
     */
    public <P> void configure(HeapSettings settings, Supplier<P> reading, Function<P, OpenedHeap> source) {
        inTurn(() -> read(settings, reading, source));
    }

    /**
     * Runs a change of the heap. During another change it is only queued, and the thread of that change runs it next.
     * So no thread waits for a vendor's code, and a listener of the heap's service may call configure.
     */
    private void inTurn(Runnable change) {
        synchronized (this) {
            changes.add(change);
            if (changing != null) {
                return;
            }
            changing = Thread.currentThread();
        }
        runChanges();
    }

    private void runChanges() {
        Runnable next;
        synchronized (this) {
            next = changes.poll();
            if (next == null) {
                changing = null;
                notifyAll();
                return;
            }
        }
        try {
            next.run();
        } finally {
            runChanges();
        }
    }

    private <P> void read(HeapSettings settings, Supplier<P> reading, Function<P, OpenedHeap> source) {
        Map<String, Object> announcement;
        P read;
        try {
            read = reading.get();
            announcement = settings.announcement();
        } catch (HeapException e) {
            refuse(settings, e.reason(), null);
            return;
        } catch (RuntimeException e) {
            refuse(settings, e.toString(), e);
            return;
        }
        change(settings, new Source(() -> source.apply(read), announcement));
    }

    private void change(HeapSettings settings, Source sourceNow) {
        HeapOpening before;
        HeapSettings settingsBefore;
        Source sourceBefore;
        boolean served;
        boolean same;
        synchronized (this) {
            if (closed) {
                return;
            }
            if (!watched) {
                watch.add(look);
                watched = true;
            }
            served = opening != null && opening.serves();
            boolean usable = opening != null && !opening.isFailed();
            settingsBefore = usable ? inForce : null;
            sourceBefore = usable ? source : null;
            same = settingsBefore != null && settingsBefore.equalsConfigured(settings);
            before = same ? opening : take();
        }
        if (same) {
            before.refuseChange("");
            return;
        }
        end(before);
        HeapOpening next =
                HeapOpening.begin(settings, listing, sourceNow, served ? Repeated.AFTER_SHORTAGE : Repeated.AFTER_LACK);
        String refusal = next.failure();
        if (refusal != null && settingsBefore != null) {
            next.close();
            LOG.warn(
                    "heap '{}' is opened again with its previous settings; a correction takes effect at once",
                    settingsBefore.heap());
            reopen(settingsBefore, sourceBefore).refuseChange(refusal);
        } else {
            keep(next, settings, sourceNow);
        }
    }

    /** Opens a heap again that has served or waited with the same settings. */
    private HeapOpening reopen(HeapSettings settings, Source source) {
        HeapOpening again = HeapOpening.begin(settings, listing, source, Repeated.ALWAYS);
        keep(again, settings, source);
        return again;
    }

    /** Opens the heap anew when a better back end works. The thread of the watch calls it. */
    private void look() {
        Source now;
        synchronized (this) {
            now = opening != null && opening.isOpen() ? source : null;
            looking = now == null ? null : Thread.currentThread();
        }
        if (now == null) {
            return;
        }
        try {
            now.better().ifPresent(backEnd -> inTurn(() -> improve(now, backEnd)));
        } catch (IllegalStateException e) {
            if (!isClosed()) {
                throw e;
            }
            // The bundle has stopped, and the framework registers nothing for it.
        } finally {
            synchronized (this) {
                looking = null;
                notifyAll();
            }
        }
    }

    private void improve(Source from, String backEnd) {
        HeapSettings settings;
        HeapOpening before;
        synchronized (this) {
            if (source != from || opening == null) {
                return; // closed, or a new configuration has chosen a back end
            }
            settings = inForce;
            before = take();
        }
        LOG.info(
                "heap '{}': back end {} works now; the heap is opened anew, and its buffers stay valid",
                settings.heap(),
                backEnd);
        try {
            end(before);
        } finally {
            reopen(settings, from);
        }
    }

    private void refuse(HeapSettings settings, String reason, RuntimeException bug) {
        HeapOpening before;
        boolean serves;
        String heap;
        synchronized (this) {
            if (closed) {
                return;
            }
            serves = opening != null && !opening.isFailed();
            heap = serves ? inForce.heap() : settings.heap();
            before = serves ? opening : take();
        }
        if (serves) {
            before.refuseChange(reason);
        } else {
            end(before);
            keep(HeapOpening.refused(settings, listing, reason), settings, null);
        }
        LOG.error(
                "heap '{}' {}: {}; a correction takes effect at once",
                heap,
                serves ? "stays as it is" : "cannot start",
                reason,
                bug);
    }

    /** {@return the opening, which this object gives up, or null} */
    private HeapOpening take() {
        HeapOpening taken = opening;
        opening = null;
        inForce = null;
        source = null;
        return taken;
    }

    private void keep(HeapOpening next, HeapSettings settings, Source from) {
        boolean failed = next.isFailed();
        boolean kept;
        synchronized (this) {
            kept = !closed;
            if (kept) {
                opening = next;
                inForce = failed ? null : settings;
                source = failed ? null : from;
            }
        }
        if (!kept) {
            next.close();
        }
    }

    private static void end(HeapOpening opening) {
        if (opening != null) {
            opening.close();
        }
    }

    /**
     * Withdraws the heap, or ends the attempts to open it. Waits up to 2 s for a change in progress; one that takes
     * longer withdraws the heap itself. Closing twice does nothing.
     */
    @Override
    public void close() {
        HeapOpening last;
        synchronized (this) {
            closed = true;
            last = take();
        }
        watch.remove(look);
        end(last);
        awaitOthers();
    }

    private synchronized void awaitOthers() {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        long left;
        while ((isOther(changing) || isOther(looking)) && (left = deadline - System.nanoTime()) > 0) {
            try {
                wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static boolean isOther(Thread thread) {
        return thread != null && thread != Thread.currentThread();
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    /** Memory of one configuration, opened and announced. */
    private final class Source implements Supplier<Runnable> {
        private final Supplier<OpenedHeap> memory;
        private final Map<String, Object> announcement;
        /** Null before the first opening. */
        private volatile OpenedHeap opened;

        Source(Supplier<OpenedHeap> memory, Map<String, Object> announcement) {
            this.memory = memory;
            this.announcement = announcement;
        }

        @Override
        public Runnable get() {
            OpenedHeap next = memory.get();
            if (isClosed()) {
                next.close();
                return HeapRegistration.NOTHING;
            }
            opened = next;
            return announcer.announce(next, announcement);
        }

        Optional<String> better() {
            return opened.better();
        }
    }
}
