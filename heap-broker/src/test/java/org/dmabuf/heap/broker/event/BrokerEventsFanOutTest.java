// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.broker.RecordedLog;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BrokerEventsFanOutTest {
    private static final ClientId CLIENT = ClientId.of("uid", "1000");

    /** As of an Event Admin that is being stopped, or whose classes are gone. */
    private static final class Failing implements BrokerEvents {
        @Override
        public Allocation allocating() {
            throw new IllegalStateException("made up");
        }

        @Override
        public void released(String heap, String name, long size, boolean lingers) {
            throw new IllegalStateException("made up");
        }

        @Override
        public void leaked(String heap, ClientId client, String name, long size, String site) {
            throw new NoClassDefFoundError("made up");
        }

        @Override
        public void changed(String heap, String bundle, HeapState state, long buffers) {
            throw new IllegalStateException("made up");
        }

        @Override
        public void lowMemory(String heap, ClientId client, long size, String reason) {
            throw new IllegalStateException("made up");
        }
    }

    private final BrokerEventsFanOut eventsFanOut = new BrokerEventsFanOut();
    private final RecordedBrokerEvents told = new RecordedBrokerEvents();

    @BeforeEach
    void clear() {
        RecordedLog.clear();
    }

    @Test
    void a_journal_that_fails_harms_neither_who_tells_nor_the_next() {
        eventsFanOut.add(new Failing());
        eventsFanOut.add(told);

        eventsFanOut.allocating().end(CLIENT, "heap", "name", 1, 0, "");
        eventsFanOut.released("heap", "name", 1, false);
        eventsFanOut.leaked("heap", CLIENT, "name", 1, "");
        eventsFanOut.changed("heap", "bundle", HeapState.SERVING, 0);
        eventsFanOut.lowMemory("heap", CLIENT, 1, "full");

        assertEquals(1, told.allocations.size());
        assertEquals(1, told.releases.size());
        assertEquals(1, told.leaks.size());
        assertEquals(1, told.changes.size());
        assertEquals(1, told.shortages.size());
        assertEquals(5, RecordedLog.lines().size(), RecordedLog.lines().toString());
        assertTrue(RecordedLog.lines().stream().allMatch(line -> line.startsWith("WARN ")));
    }

    @Test
    void an_allocation_whose_end_cannot_be_told_ends_all_the_same() {
        eventsFanOut.add(new BrokerEvents() {
            @Override
            public Allocation allocating() {
                return (client, heap, name, size, tried, outcome) -> {
                    throw new IllegalStateException("made up");
                };
            }
        });

        eventsFanOut.allocating().end(CLIENT, "heap", "name", 1, 0, "");

        assertEquals(
                List.of("WARN an event receiver failed; the operation itself is unaffected"
                        + " <java.lang.IllegalStateException: made up>"),
                RecordedLog.lines());
    }
}
