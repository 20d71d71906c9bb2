// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.framework.BundleContext;

/**
 * Start of one heap, and its changes while the gateway runs. Where the machine is short of something, the heap is tried
 * again by a daemon thread {@code dmaheap-start-NAME}, after 1 s at first and every 10 s later. A heap that waits, or
 * that cannot start, is listed by the broker with the reason: an {@link UnavailableHeap} is registered for it until it
 * starts or is closed.
 *
 * <p>A component has one, and hands its configuration to {@code configure} when it is activated and whenever the
 * configuration changes. So a mistake in a file that is edited leaves the heap as it is:
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
 * <p>One thread at a time configures, as Declarative Services does. Any thread may close.
 */
public final class HeapStart implements AutoCloseable {
    private static final QuietLog LOG = new QuietLog(HeapStart.class);

    private final Function<Map<String, Object>, Runnable> listing;
    private final Announcer announcer;

    // Guarded by this.
    /** Null before the first configuration, and while it changes. */
    private HeapOpening opening;
    /** Those that the heap was opened with; null where there is none. */
    private HeapSettings inForce;
    /** What opens the heap with those; null where there is none. */
    private Supplier<Runnable> source;

    private boolean closed;

    /** Registers a heap, and returns what withdraws it. */
    interface Announcer {
        Runnable announce(OpenedHeap opened, Map<String, Object> announcement);
    }

    HeapStart(Function<Map<String, Object>, Runnable> listing, Announcer announcer) {
        this.listing = Objects.requireNonNull(listing);
        this.announcer = Objects.requireNonNull(announcer);
    }

    /**
     * A heap that is not configured yet.
     *
     * @param context the heap's. Its bundle imports {@code org.dmabuf.heap.spi}: the framework shows a service only
     *     where the bundle that registers it is wired to the service's type
     * @return the start, to be closed when the heap is to go
     */
    public static HeapStart of(BundleContext context) {
        return new HeapStart(
                properties -> HeapRegistration.unavailable(context, properties),
                (opened, announcement) -> new HeapRegistration(context, announcement).register(opened));
    }

    /**
     * Opens a heap and registers it as a service. A component that is to keep its heap when a changed configuration is
     * wrong uses {@link #of} and {@link #configure(HeapSettings, Supplier)}.
     *
     * @param context as for {@link #of}
     * @param settings name, type, id and priority
     * @param opening as for {@link #configure(HeapSettings, Supplier)}; a setting that it finds wrong is listed
     * @return the start, to be closed when the heap is to go
     */
    public static HeapStart begin(BundleContext context, HeapSettings settings, Supplier<OpenedHeap> opening) {
        HeapStart start = of(context);
        start.configure(settings, opening);
        return start;
    }

    /**
     * As {@link #configure(HeapSettings, Supplier, Function)}, of a heap that has no settings but those that every heap
     * has.
     *
     * @param settings name, type, id and priority
     * @param opening takes the heap's memory
     */
    public void configure(HeapSettings settings, Supplier<OpenedHeap> opening) {
        configure(settings, () -> opening, Supplier::get);
    }

    /**
     * Opens a heap and registers it as a service, now, or later when the machine is short of something. The service is
     * a {@link org.dmabuf.heap.spi.HeapExporter}, and a {@link org.dmabuf.heap.spi.RegionMap} where the source is one.
     * Its properties are those of the settings and those of the memory, which go before them.
     *
     * <p>When there is a heap already, settings that are wrong are logged, and the heap goes on with those that it has.
     * Where they say the same, nothing happens. Otherwise the heap is withdrawn, and then the other is opened. Where
     * that fails for another reason than a shortage, the heap is opened again as it was.
     *
     * @param settings name, type, id and priority
     * @param reading reads and checks the heap's other settings. It takes no memory, and throws what
     *     {@link Settings#wrong} returns
     * @param source takes the heap's memory. When it throws, it has left nothing behind. It may be called again, on
     *     the daemon thread, and at most until {@link #close} or the next configuration. A HeapException of a
     *     {@link org.dmabuf.heap.Errno#isTransient shortage} is tried again; any other exception is logged and listed
     * @param <P> what the settings were read into
     */
    public <P> void configure(HeapSettings settings, Supplier<P> reading, Function<P, OpenedHeap> source) {
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
        HeapOpening before;
        HeapSettings settingsBefore;
        Supplier<Runnable> sourceBefore;
        synchronized (this) {
            boolean same = inForce != null && !opening.isFailed() && inForce.equalsConfigured(settings);
            if (closed || same) {
                return;
            }
            boolean served = opening != null && !opening.isFailed();
            settingsBefore = served ? inForce : null;
            sourceBefore = served ? this.source : null;
            before = take();
        }
        end(before);
        Supplier<Runnable> sourceNow = () -> announcer.announce(source.apply(read), announcement);
        HeapOpening next = HeapOpening.begin(settings, listing, sourceNow);
        if (next.isFailed() && settingsBefore != null) {
            next.close();
            LOG.write(
                    Level.WARNING,
                    "heap ''{0}'' is opened as it was before the change; a correction takes effect at once",
                    settingsBefore.heap());
            open(settingsBefore, sourceBefore);
        } else {
            keep(next, settings, sourceNow);
        }
    }

    private void open(HeapSettings settings, Supplier<Runnable> source) {
        keep(HeapOpening.begin(settings, listing, source), settings, source);
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
            before = serves ? null : take();
        }
        if (!serves) {
            end(before);
            keep(HeapOpening.refused(settings, listing, reason), settings, null);
        }
        LOG.failure(
                Level.ERROR,
                "heap '" + heap + "' " + (serves ? "stays as it is" : "cannot start") + ": " + reason
                        + "; a correction takes effect at once",
                bug);
    }

    /** {@return the opening, which this has no longer, or null} */
    private HeapOpening take() {
        HeapOpening taken = opening;
        opening = null;
        inForce = null;
        source = null;
        return taken;
    }

    private void keep(HeapOpening next, HeapSettings settings, Supplier<Runnable> from) {
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

    /** Withdraws the heap, or ends the attempts to open it. Closing twice does nothing. */
    @Override
    public void close() {
        HeapOpening last;
        synchronized (this) {
            closed = true;
            last = take();
        }
        end(last);
    }
}
