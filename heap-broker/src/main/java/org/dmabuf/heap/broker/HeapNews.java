// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapState;
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

    HeapNews(HeapTable table, Journal journal) {
        this.table = table;
        this.journal = journal;
    }

    /** Tells what has changed since it was told last; to be called after each change of the table. */
    void tell() {
        for (Standing standing : changed()) {
            Heap heap = standing.heap();
            if (standing.state() == HeapState.SERVING) {
                LOG.info("{} of bundle {} serves", heap, heap.description().bundle());
                journal.changed(
                        heap.name(),
                        heap.description().bundle(),
                        HeapState.SERVING,
                        heap.account().buffers());
            } else {
                LOG.warn("{} of bundle {} does not serve: {}", heap, heap.description().bundle(), standing.reason());
            }
        }
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
        told = now;
        return changed;
    }
}
