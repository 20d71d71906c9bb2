// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.linux.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the log which heaps serve and which do not, whenever that has changed: also for a heap that comes out of
 * another's shadow, and not for a change of properties that moves nobody.
 */
final class HeapNews {
    private static final Logger LOG = LoggerFactory.getLogger(HeapNews.class);

    private record Standing(Heap heap, HeapState state, String reason) {
        boolean sameAs(Standing other) {
            return other != null
                    && heap.name().equals(other.heap.name())
                    && state == other.state
                    && reason.equals(other.reason);
        }
    }

    private final HeapTable table;
    private final Journal journal;
    /** What was told last, by {@code service.id}. */
    private Map<Long, Standing> told = Map.of();
    /** Those that served when they began to leave, by {@code service.id}: of others nobody was told. */
    private final Map<Long, Heap> leaving = new HashMap<>();

    HeapNews(HeapTable table, Journal journal) {
        this.table = table;
        this.journal = journal;
    }

    /** Tells what has changed since it was told last; to be called after each change of the table. */
    void tell() {
        for (Standing standing : changed()) {
            Heap heap = standing.heap();
            switch (standing.state()) {
                case SERVING -> {
                    LOG.info("{} of bundle {} serves", heap, Printable.of(heap.description().bundle()));
                    tell(heap, HeapState.SERVING);
                }
                case DEPARTED -> tell(heap, HeapState.DEPARTED);
                default ->
                    LOG.warn(
                            "{} of bundle {} does not serve: {}",
                            heap,
                            Printable.of(heap.description().bundle()),
                            standing.reason());
            }
        }
    }

    /** Tells that a heap has begun to leave, unless it did not serve; to be called after {@link #tell()}. */
    void draining(long service) {
        Heap heap;
        synchronized (this) {
            heap = leaving.get(service);
        }
        if (heap != null) {
            tell(heap, HeapState.DRAINING);
        }
    }

    /** Tells that a heap has left, unless it did not serve. */
    void departed(long service) {
        Heap heap;
        synchronized (this) {
            heap = leaving.remove(service);
        }
        if (heap != null) {
            tell(heap, HeapState.DEPARTED);
        }
    }

    private void tell(Heap heap, HeapState state) {
        journal.changed(
                heap.name(),
                heap.description().bundle(),
                state,
                heap.account().figures().liveBuffers());
    }

    /** Reads the routes under its lock: of two threads that changed the table, the later tells the later routes. */
    private synchronized List<Standing> changed() {
        Map<Long, Standing> now = new HashMap<>();
        List<Standing> changed = new ArrayList<>();
        for (Routes.Listed listed : table.routes().listed()) {
            if (listed.state() == HeapState.DRAINING) {
                continue; // its end is told when it has left
            }
            Standing standing = new Standing(listed.heap(), listed.state(), listed.reason());
            now.put(listed.heap().service(), standing);
            if (!standing.sameAs(told.get(listed.heap().service()))) {
                changed.add(standing);
            }
        }
        for (Standing before : told.values()) {
            Standing after = now.get(before.heap().service());
            if (before.state() != HeapState.SERVING) {
                continue;
            }
            if (after == null) {
                leaving.put(before.heap().service(), before.heap());
            } else if (after.state() != HeapState.SERVING || !after.heap().name().equals(before.heap().name())) {
                changed.addFirst(new Standing(before.heap(), HeapState.DEPARTED, "")); // by its properties
            }
        }
        told = now;
        return changed;
    }
}
