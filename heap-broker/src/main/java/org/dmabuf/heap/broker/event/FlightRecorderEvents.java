// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import java.util.ArrayList;
import java.util.List;
import jdk.jfr.AnnotationElement;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.EventFactory;
import jdk.jfr.EventType;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.ValueDescriptor;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;

/**
 * Receiver of the broker's events that records them in Java Flight Recorder, as {@code org.dmabuf.heap.*}. The events
 * come from factories. The JVM instruments an event class with calls to a package of the recorder. A bundle cannot see
 * that package.
 */
public final class FlightRecorderEvents implements BrokerEvents {
    private static final boolean WITH_STACK = true;

    /** A factory with its type. The type stays readable after the factory is unregistered. */
    private record Kind(EventFactory factory, EventType type) {
        boolean enabled() {
            return type.isEnabled();
        }

        Event event() {
            return factory.newEvent();
        }
    }

    private final List<Kind> kinds = new ArrayList<>();

    private final Kind allocate = kind(
            "Allocate",
            "Buffer Allocation",
            "A request for buffers, from the call of the broker until a heap has returned them or it has failed",
            WITH_STACK,
            text("client", "Client that asked"),
            text("heap", "Heap that returned the buffer or ended the request"),
            text("name", "Buffer"),
            bytes("size", "Requested size"),
            new ValueDescriptor(int.class, "tried", List.of(label("Heaps asked before"))),
            text("error", "Error, empty for success"));

    private final Kind release = kind(
            "Release",
            "Buffer Release",
            "A buffer without references, mappings and CPU accesses was returned to its heap",
            !WITH_STACK,
            text("heap", "Heap"),
            text("name", "Buffer"),
            bytes("size", "Size"),
            new ValueDescriptor(boolean.class, "lingers", List.of(label("Other holders may still use the memory"))));

    private final Kind leak = kind(
            "Leak",
            "Buffer Leak",
            "A buffer became unreachable without a close",
            !WITH_STACK,
            text("heap", "Heap"),
            text("client", "Client that lost it"),
            text("name", "Buffer"),
            bytes("size", "Size"),
            text("site", "Where it was allocated, if sites are recorded"),
            new ValueDescriptor(long.class, "buffers", List.of(label("Lost buffers: 1, or more in a summary"))));

    private final Kind heap = kind(
            "Heap",
            "Heap Change",
            "A heap has arrived, drains or has departed",
            !WITH_STACK,
            text("heap", "Heap"),
            text("bundle", "Bundle"),
            text("state", "State"),
            new ValueDescriptor(long.class, "buffers", List.of(label("Live buffers"))));

    private Kind kind(String name, String label, String description, boolean withStack, ValueDescriptor... fields) {
        EventFactory factory = EventFactory.create(
                List.of(
                        new AnnotationElement(Name.class, "org.dmabuf.heap." + name),
                        label(label),
                        new AnnotationElement(Description.class, description),
                        new AnnotationElement(Category.class, new String[] {"DMA-BUF heaps"}),
                        new AnnotationElement(StackTrace.class, withStack)),
                List.of(fields));
        Kind kind = new Kind(factory, factory.getEventType());
        kinds.add(kind);
        return kind;
    }

    private static AnnotationElement label(String label) {
        return new AnnotationElement(Label.class, label);
    }

    private static ValueDescriptor text(String name, String label) {
        return new ValueDescriptor(String.class, name, List.of(label(label)));
    }

    private static ValueDescriptor bytes(String name, String label) {
        return new ValueDescriptor(
                long.class, name, List.of(label(label), new AnnotationElement(DataAmount.class, DataAmount.BYTES)));
    }

    @Override
    public Allocation allocating() {
        if (!allocate.enabled()) {
            return Allocation.UNRECORDED;
        }
        Event event = allocate.event();
        event.begin();
        return (client, from, name, size, tried, error) ->
                commit(event, client.toString(), from, name, size, tried, error);
    }

    @Override
    public void released(String from, String name, long size, boolean lingers) {
        if (release.enabled()) {
            commit(release.event(), from, name, size, lingers);
        }
    }

    @Override
    public void leaked(String from, ClientId client, String name, long size, String site) {
        if (leak.enabled()) {
            commit(leak.event(), from, client.toString(), name, size, site, 1L);
        }
    }

    @Override
    public void leakedMore(ClientId client, long buffers, long bytes) {
        if (leak.enabled()) {
            commit(leak.event(), "", client.toString(), "", bytes, "", buffers);
        }
    }

    @Override
    public void changed(String changed, String bundle, HeapState state, long buffers) {
        if (heap.enabled()) {
            commit(heap.event(), changed, bundle, state.toString(), buffers);
        }
    }

    /** Commits an event with its values in the order of the factory's fields. */
    private static void commit(Event event, Object... values) {
        event.end();
        if (event.shouldCommit()) {
            for (int i = 0; i < values.length; i++) {
                event.set(i, values[i]);
            }
            event.commit();
        }
    }

    /** Unregisters the event types. Otherwise the recorder would keep the types of a bundle that is gone. */
    @Override
    public void close() {
        kinds.forEach(kind -> kind.factory().unregister());
    }
}
