// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.HeapEvents;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reporter of heaps that begin or cease to serve, to the log and as {@link BrokerEvents}. The events have the order
 * that {@link HeapEvents} promises. The log gets each change of a heap's standing at once. The events form one sequence
 * for each name: a heap that takes over a name is reported after its predecessor has departed.
 *
 * <p>Reports are ordered under the lock and sent outside it, by one thread at a time. If another thread is already
 * sending, it also sends the report of this thread, and this thread does not wait.
 */
public final class HeapChangeReporter {
    private static final Logger LOG = LoggerFactory.getLogger(HeapChangeReporter.class);

    private final HeapRegistry registry;
    private final BrokerEvents events;
    /** The last logged standing of each heap that has not left, by {@code service.id}. Guarded by this. */
    private Map<Long, HeapStanding> logged = new HashMap<>();
    /** Heaps whose arrival was reported and whose departure was not yet reported, by name. Guarded by this. */
    private final Map<String, RegisteredHeap> arrived = new HashMap<>();

    private final Queue<Runnable> reports = new ConcurrentLinkedQueue<>();
    private final AtomicInteger unreported = new AtomicInteger();

    public HeapChangeReporter(HeapRegistry registry, BrokerEvents events) {
        this.registry = registry;
        this.events = events;
    }

    /** Reports the changes since the last call. The caller calls it after each change of the registry. */
    public void reportChanges() {
        synchronized (this) { // with the routes read inside, no later state is reported before an earlier one
            List<HeapStanding> listed = registry.routes().listed();
            log(listed);
            departByProperties(listed);
            arrive(listed);
        }
        report();
    }

    /** Reports that a heap has begun to leave, if it served. The caller calls {@link #reportChanges()} first. */
    public void draining(long service) {
        synchronized (this) {
            for (RegisteredHeap heap : arrived.values()) {
                if (heap.service() == service) {
                    reports.add(() -> send(heap, HeapState.DRAINING));
                }
            }
        }
        report();
    }

    /**
     * Reports that a heap has left. If the heap did not serve, the log names its bundle, since another heap of its name
     * may serve. The events report a heap that served, and then the heap that serves under its name now.
     */
    public void departed(RegisteredHeap left) {
        long service = left.service();
        synchronized (this) {
            HeapStanding last = logged.remove(service); // it would keep the heap's code until the next change
            boolean served = last != null && last.state() == HeapState.SERVING;
            reports.add(() -> logDeparture(left, served));
            for (RegisteredHeap heap : List.copyOf(arrived.values())) {
                if (heap.service() == service) {
                    depart(heap);
                }
            }
            arrive(registry.routes().listed());
        }
        report();
    }

    private void log(List<HeapStanding> listed) {
        Map<Long, HeapStanding> now = new HashMap<>();
        List<HeapStanding> changed = new ArrayList<>();
        for (HeapStanding one : listed) {
            if (one.state() == HeapState.DRAINING) {
                HeapStanding before = logged.get(one.heap().service());
                if (before != null) {
                    now.put(one.heap().service(), before); // its departure is logged later
                }
                continue;
            }
            now.put(one.heap().service(), one);
            if (!one.sameAs(logged.get(one.heap().service()))) {
                changed.add(one);
            }
        }
        changed.forEach(standing -> reports.add(() -> log(standing)));
        logged = now;
    }

    private static void log(HeapStanding standing) {
        RegisteredHeap heap = standing.heap();
        if (standing.state() == HeapState.SERVING) {
            LOG.info(
                    "{} of bundle {} serves",
                    heap,
                    Printable.of(heap.description().bundle()));
        } else {
            LOG.warn(
                    "{} of bundle {} does not serve: {}",
                    heap,
                    Printable.of(heap.description().bundle()),
                    standing.reason());
        }
    }

    private static void logDeparture(RegisteredHeap left, boolean served) {
        if (served) {
            LOG.info(
                    "{} has left with {} live buffers",
                    left,
                    left.account().snapshot().liveBuffers());
        } else {
            LOG.info(
                    "{} of bundle {}, which did not serve, has left",
                    left,
                    Printable.of(left.description().bundle()));
        }
    }

    /** Reports the departure of heaps that are still registered but were renamed or shadowed. */
    private void departByProperties(List<HeapStanding> listed) {
        for (HeapStanding one : listed) {
            for (RegisteredHeap before : List.copyOf(arrived.values())) {
                if (before.service() == one.heap().service()
                        && one.state() != HeapState.DRAINING
                        && (one.state() != HeapState.SERVING
                                || !before.name().equals(one.heap().name()))) {
                    depart(before);
                }
            }
        }
    }

    private void depart(RegisteredHeap heap) {
        reports.add(() -> send(heap, HeapState.DEPARTED));
        arrived.remove(heap.name());
    }

    private void arrive(List<HeapStanding> listed) {
        for (HeapStanding one : listed) {
            RegisteredHeap heap = one.heap();
            if (one.state() == HeapState.SERVING && !arrived.containsKey(heap.name())) {
                reports.add(() -> send(heap, HeapState.SERVING));
                arrived.put(heap.name(), heap);
            }
        }
    }

    private void send(RegisteredHeap heap, HeapState state) {
        events.changed(
                heap.name(),
                heap.description().bundle(),
                state,
                heap.account().snapshot().liveBuffers());
    }

    private void report() {
        if (unreported.getAndIncrement() > 0) {
            return; // the reporting thread continues with this report
        }
        int seen = 1;
        do {
            for (Runnable next = reports.poll(); next != null; next = reports.poll()) {
                report(next);
            }
            seen = unreported.addAndGet(-seen);
        } while (seen > 0);
    }

    private static void report(Runnable next) {
        try {
            next.run();
        } catch (Throwable e) { // for instance of a logger; the next reports concern other heaps
            try {
                LOG.error("failed to report a change of a heap", e);
            } catch (Throwable again) {
                // The logger failed, so this failure cannot be logged.
            }
        }
    }
}
