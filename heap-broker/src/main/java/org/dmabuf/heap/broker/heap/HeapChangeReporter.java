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
 * Reporter of heaps that begin and cease to serve, to the log and as {@link BrokerEvents}. The order is the one that
 * {@link HeapEvents} promises. The log gets each change of a heap's standing at once. The events have one sequence for
 * each name: a heap that takes over a name is reported when its predecessor has departed.
 *
 * <p>Reports are put in order under the lock and made outside of it, by one thread at a time. A thread whose report
 * another thread makes does not wait for it.
 */
public final class HeapChangeReporter {
    private static final Logger LOG = LoggerFactory.getLogger(HeapChangeReporter.class);

    private final HeapRegistry registry;
    private final BrokerEvents events;
    /** Standings that were logged last, by {@code service.id}, of heaps that have not left. Guarded by this. */
    private Map<Long, HeapStanding> logged = new HashMap<>();
    /** Heaps whose arrival was reported and whose departure was not, by name. Guarded by this. */
    private final Map<String, RegisteredHeap> arrived = new HashMap<>();

    private final Queue<Runnable> reports = new ConcurrentLinkedQueue<>();
    private final AtomicInteger unreported = new AtomicInteger();

    public HeapChangeReporter(HeapRegistry registry, BrokerEvents events) {
        this.registry = registry;
        this.events = events;
    }

    /** Reports changes since the last call; to be called after each change of the registry. */
    public void reportChanges() {
        synchronized (this) { // routes are read under the lock: a later reading is never reported before an older one
            List<HeapStanding> listed = registry.routes().listed();
            log(listed);
            departByProperties(listed);
            arrive(listed);
        }
        report();
    }

    /** Reports that a heap has begun to leave, unless it did not serve; to be called after {@link #reportChanges()}. */
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
     * Reports that a heap has left. The log says of one that did not serve which it was, since another of its name may
     * serve. The events report a heap that served, and then the heap that serves under its name now.
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
                    now.put(one.heap().service(), before); // its end is logged when it has left
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
            LOG.info("{} of bundle {} serves", heap, Printable.of(heap.description().bundle()));
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
            LOG.info("{} has left, {} buffers of it live on", left, left.account().snapshot().liveBuffers());
        } else {
            LOG.info(
                    "{} of bundle {}, which did not serve, is gone",
                    left,
                    Printable.of(left.description().bundle()));
        }
    }

    /** Reports the departure of heaps that are still registered and were renamed or shadowed. */
    private void departByProperties(List<HeapStanding> listed) {
        for (HeapStanding one : listed) {
            for (RegisteredHeap before : List.copyOf(arrived.values())) {
                if (before.service() == one.heap().service()
                        && one.state() != HeapState.DRAINING
                        && (one.state() != HeapState.SERVING || !before.name().equals(one.heap().name()))) {
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
            return; // the thread that reports goes on with it
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
        } catch (Throwable e) { // of a log: reports behind it are of other heaps
            try {
                LOG.error("failed to report a heap", e);
            } catch (Throwable again) {
                // There is no other place to say so.
            }
        }
    }
}
