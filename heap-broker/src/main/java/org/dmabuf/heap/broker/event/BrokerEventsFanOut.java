// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Distributor of events to all current receivers. The list is empty in a Java without Flight Recorder and a gateway
 * without Event Admin. If a receiver fails, the failure is logged and the other receivers still get the event. For
 * instance, an Event Admin that is being stopped throws.
 */
public final class BrokerEventsFanOut implements BrokerEvents {
    private static final Logger LOG = LoggerFactory.getLogger(BrokerEventsFanOut.class);

    /** The receivers. The array is replaced, never changed, so iterating creates no garbage. */
    private volatile BrokerEvents[] all = {};

    public synchronized void add(BrokerEvents events) {
        List<BrokerEvents> more = new ArrayList<>(List.of(all));
        more.add(events);
        all = more.toArray(BrokerEvents[]::new);
    }

    public synchronized void remove(BrokerEvents events) {
        List<BrokerEvents> less = new ArrayList<>(List.of(all));
        less.remove(events);
        all = less.toArray(BrokerEvents[]::new);
    }

    /** Begins the recording of the first receiver that records allocations. */
    @Override
    public Allocation allocating() {
        for (BrokerEvents events : all) {
            try {
                Allocation allocation = events.allocating();
                if (allocation != Allocation.UNRECORDED) {
                    return guarded(allocation);
                }
            } catch (Throwable e) {
                failed(e);
            }
        }
        return Allocation.UNRECORDED;
    }

    private static Allocation guarded(Allocation allocation) {
        return (client, heap, name, size, tried, outcome) -> {
            try {
                allocation.end(client, heap, name, size, tried, outcome);
            } catch (Throwable e) {
                failed(e);
            }
        };
    }

    @Override
    public void released(String heap, String name, long size, boolean lingers) {
        for (BrokerEvents events : all) { // runs for each buffer, so it creates no object
            try {
                events.released(heap, name, size, lingers);
            } catch (Throwable e) {
                failed(e);
            }
        }
    }

    @Override
    public void leaked(String heap, ClientId client, String name, long size, String site) {
        toAll(events -> events.leaked(heap, client, name, size, site));
    }

    @Override
    public void leakedMore(ClientId client, long buffers, long bytes) {
        toAll(events -> events.leakedMore(client, buffers, bytes));
    }

    @Override
    public void changed(String heap, String bundle, HeapState state, long buffers) {
        toAll(events -> events.changed(heap, bundle, state, buffers));
    }

    @Override
    public void lowMemory(String heap, ClientId client, long size, String reason) {
        toAll(events -> events.lowMemory(heap, client, size, reason));
    }

    @Override
    public void planRefused(ClientId client, List<String> devices, long size, String error, String reason) {
        toAll(events -> events.planRefused(client, devices, size, error, reason));
    }

    private void toAll(Consumer<BrokerEvents> event) {
        for (BrokerEvents events : all) {
            try {
                event.accept(events);
            } catch (Throwable e) {
                failed(e);
            }
        }
    }

    private static void failed(Throwable e) {
        try {
            LOG.warn("an event receiver failed; the operation itself is unaffected", e);
        } catch (Throwable worse) {
            // A failing logger must not stop the operation either.
        }
    }
}
