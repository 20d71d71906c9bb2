// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.event.BrokerEvents;

/** Receiver of the broker's events that records them. */
public final class RecordedBrokerEvents implements BrokerEvents {
    public record Ended(String client, String heap, String name, long size, int tried, String outcome) {}

    public record Released(String heap, String name, long size, boolean lingers) {}

    public record Leaked(String heap, String client, String name, long size, String site) {}

    public record LeakedMore(String client, long buffers, long bytes) {}

    public record Changed(String heap, String bundle, HeapState state, long buffers) {}

    public record Short(String heap, String client, long size, String reason) {}

    public final List<Ended> allocations = new CopyOnWriteArrayList<>();
    public final List<Released> releases = new CopyOnWriteArrayList<>();
    public final List<Leaked> leaks = new CopyOnWriteArrayList<>();
    public final List<LeakedMore> sums = new CopyOnWriteArrayList<>();
    public final List<Changed> changes = new CopyOnWriteArrayList<>();
    public final List<Short> shortages = new CopyOnWriteArrayList<>();

    /** Whether {@link #leaked} throws, as an Event Admin does during its stop. */
    public volatile boolean leakFails;

    /** Throwable of {@link #released}; null for none. */
    volatile Error releaseFails;

    @Override
    public Allocation allocating() {
        return (client, heap, name, size, tried, outcome) ->
                allocations.add(new Ended(client.toString(), heap, name, size, tried, outcome));
    }

    @Override
    public void released(String heap, String name, long size, boolean lingers) {
        if (releaseFails != null) {
            throw releaseFails;
        }
        releases.add(new Released(heap, name, size, lingers));
    }

    @Override
    public void leaked(String heap, ClientId client, String name, long size, String site) {
        if (leakFails) {
            throw new IllegalStateException("made up");
        }
        leaks.add(new Leaked(heap, client.toString(), name, size, site));
    }

    @Override
    public void leakedMore(ClientId client, long buffers, long bytes) {
        sums.add(new LeakedMore(client.toString(), buffers, bytes));
    }

    @Override
    public void changed(String heap, String bundle, HeapState state, long buffers) {
        changes.add(new Changed(heap, bundle, state, buffers));
    }

    @Override
    public void lowMemory(String heap, ClientId client, long size, String reason) {
        shortages.add(new Short(heap, client.toString(), size, reason));
    }
}
