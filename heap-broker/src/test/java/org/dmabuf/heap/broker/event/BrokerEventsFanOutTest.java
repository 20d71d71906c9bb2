// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.RecordedBrokerEvents;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BrokerEventsFanOutTest {
    private static final ClientId CLIENT = ClientId.of("uid", "1000");

    /** Receiver that fails, as an Event Admin does during its stop or without its classes. */
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
    private final RecordedBrokerEvents recorded = new RecordedBrokerEvents();

    @BeforeEach
    void clear() {
        RecordedLog.clear();
    }

    @Test
    void a_failing_receiver_affects_neither_the_reporter_nor_the_next_receiver() {
        eventsFanOut.add(new Failing());
        eventsFanOut.add(recorded);

        eventsFanOut.allocating().end(CLIENT, "heap", "name", 1, 0, "");
        eventsFanOut.released("heap", "name", 1, false);
        eventsFanOut.leaked("heap", CLIENT, "name", 1, "");
        eventsFanOut.changed("heap", "bundle", HeapState.SERVING, 0);
        eventsFanOut.lowMemory("heap", CLIENT, 1, "full");

        assertEquals(1, recorded.allocations.size());
        assertEquals(1, recorded.releases.size());
        assertEquals(1, recorded.leaks.size());
        assertEquals(1, recorded.changes.size());
        assertEquals(1, recorded.shortages.size());
        assertEquals(5, RecordedLog.lines().size(), RecordedLog.lines().toString());
        assertTrue(RecordedLog.lines().stream().allMatch(line -> line.startsWith("WARN ")));
    }

    @Test
    void an_allocation_ends_even_if_its_event_fails() {
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
