// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapEvents;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventAdmin;

/**
 * Receiver of the broker's events that posts {@link HeapEvents} to Event Admin. It is a separate component, so that the
 * broker runs without Event Admin and its package. This class is loaded only when the service exists.
 */
@Component(service = BrokerEvents.class)
public final class EventAdminBridge implements BrokerEvents {
    private static final long SECOND = 1_000_000_000L;

    private final EventAdmin events;
    private final LongSupplier clock;
    /**
     * The time, in nanoseconds, of the last posted shortage of each heap. One entry for each heap that ever had a
     * shortage.
     */
    private final Map<String, Long> reportedShort = new ConcurrentHashMap<>();

    /**
     * Creates a bridge to a service.
     *
     * @param events the service that receives the events
     */
    @Activate
    public EventAdminBridge(@Reference EventAdmin events) {
        this(events, System::nanoTime);
    }

    EventAdminBridge(EventAdmin events, LongSupplier clock) {
        this.events = events;
        this.clock = clock;
    }

    @Override
    public void changed(String heap, String bundle, HeapState state, long buffers) {
        String topic = switch (state) {
            case SERVING -> HeapEvents.ARRIVED;
            case DRAINING -> HeapEvents.DRAINING;
            case DEPARTED -> HeapEvents.DEPARTED;
            default ->
                throw new IllegalArgumentException(
                        "invalid state = " + state + ": expected SERVING, DRAINING or DEPARTED");
        };
        post(topic, Map.of(HeapProperties.NAME, heap, HeapEvents.BUNDLE, bundle, HeapEvents.BUFFERS, buffers));
    }

    @Override
    public void lowMemory(String heap, ClientId client, long size, String reason) {
        long now = clock.getAsLong();
        // Otherwise a client that allocates in a loop would flood the listeners during a shortage.
        boolean[] due = {false};
        reportedShort.compute(heap, (name, reported) -> {
            due[0] = reported == null || now - reported >= SECOND;
            return due[0] ? Long.valueOf(now) : reported;
        });
        if (due[0]) {
            post(
                    HeapEvents.LOW_MEMORY,
                    Map.of(
                            HeapProperties.NAME, heap,
                            HeapEvents.CLIENT, client.toString(),
                            HeapProperties.BUFFER_SIZE, size,
                            HeapEvents.REASON, reason));
        }
    }

    @Override
    public void leaked(String heap, ClientId client, String name, long size, String site) {
        post(
                HeapEvents.LEAK,
                Map.of(
                        HeapProperties.NAME, heap,
                        HeapEvents.CLIENT, client.toString(),
                        HeapProperties.BUFFER_NAME, name,
                        HeapProperties.BUFFER_SIZE, size,
                        HeapEvents.SITE, site));
    }

    @Override
    public void leakedMore(ClientId client, long buffers, long bytes) {
        post(
                HeapEvents.LEAK,
                Map.of(
                        HeapEvents.CLIENT, client.toString(),
                        HeapEvents.BUFFERS, buffers,
                        HeapProperties.BUFFER_SIZE, bytes));
    }

    private void post(String topic, Map<String, ?> properties) {
        events.postEvent(new Event(topic, properties));
    }
}
