// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.event;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapState;
import org.junit.jupiter.api.Test;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventAdmin;

class EventAdminBridgeTest {
    private static final ClientId CAMERA = ClientId.ofBundle("org.example.camera", "test:camera");

    private final List<Event> posted = new ArrayList<>();
    private long now;

    private final EventAdminBridge bridge = new EventAdminBridge(
            new EventAdmin() {
                @Override
                public void postEvent(Event event) {
                    posted.add(event);
                }

                @Override
                public void sendEvent(Event event) {
                    throw new AssertionError("waits for every listener");
                }
            },
            () -> now);

    @Test
    void a_heap_arrives_drains_and_departs() {
        bridge.changed("acme", "org.example.acme", HeapState.SERVING, 0);
        bridge.changed("acme", "org.example.acme", HeapState.DRAINING, 2);
        bridge.changed("acme", "org.example.acme", HeapState.DEPARTED, 1);

        assertEquals(
                List.of("org/dmabuf/heap/ARRIVED", "org/dmabuf/heap/DRAINING", "org/dmabuf/heap/DEPARTED"), topics());
        assertEquals("acme", posted.get(1).getProperty("heap.name"));
        assertEquals("org.example.acme", posted.get(1).getProperty("bundle.symbolicName"));
        assertEquals(2L, posted.get(1).getProperty("heap.buffers"));
    }

    @Test
    void a_shortage_is_reported_once_a_second_for_each_heap() {
        bridge.lowMemory("carveout", CAMERA, 4096, "full");
        bridge.lowMemory("carveout", CAMERA, 4096, "full");
        bridge.lowMemory("system", CAMERA, 8192, "the machine has no more");
        now += 999_999_999;
        bridge.lowMemory("carveout", CAMERA, 4096, "full");
        assertEquals(2, posted.size());

        now += 1;
        bridge.lowMemory("carveout", CAMERA, 16384, "still full");

        assertEquals(3, posted.size());
        assertEquals("org/dmabuf/heap/LOW_MEMORY", posted.getLast().getTopic());
        assertEquals("carveout", posted.getLast().getProperty("heap.name"));
        assertEquals(16384L, posted.getLast().getProperty("dmabuf.size"));
        assertEquals("still full", posted.getLast().getProperty("heap.reason"));
    }

    @Test
    void a_leak_event_names_client_buffer_and_allocation_site() {
        bridge.leaked("system", CAMERA, "frame", 4096, "at Camera.start");

        Event leak = posted.getFirst();
        assertEquals("org/dmabuf/heap/LEAK", leak.getTopic());
        assertEquals("system", leak.getProperty("heap.name"));
        assertEquals("org.example.camera", leak.getProperty("dmabuf.client"));
        assertEquals("frame", leak.getProperty("dmabuf.name"));
        assertEquals(4096L, leak.getProperty("dmabuf.size"));
        assertEquals("at Camera.start", leak.getProperty("dmabuf.site"));
    }

    private List<String> topics() {
        return posted.stream().map(Event::getTopic).toList();
    }
}
