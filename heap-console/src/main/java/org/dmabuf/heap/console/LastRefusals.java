// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import java.time.Clock;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapEvents;
import org.dmabuf.heap.HeapProperties;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventHandler;

/** The last refused requests for lack of memory or quota. There are entries only with an Event Admin. */
@Component(
        service = {LastRefusals.class, EventHandler.class},
        immediate = true, // it also remembers refusals from before the first look at the page
        property = "event.topics=" + HeapEvents.LOW_MEMORY)
public final class LastRefusals implements EventHandler {
    private static final int MOST = 20;

    private final Clock clock = Clock.systemUTC();
    private final Deque<Map<String, Object>> last = new ArrayDeque<>();

    /**
     * Adds a refusal.
     *
     * @param event its event
     */
    @Override
    public void handleEvent(Event event) {
        Map<String, Object> refusal = new LinkedHashMap<>();
        refusal.put("time", clock.millis());
        refusal.put("heap", String.valueOf(event.getProperty(HeapProperties.NAME)));
        refusal.put("client", String.valueOf(event.getProperty(HeapEvents.CLIENT)));
        refusal.put("sentence", String.valueOf(event.getProperty(HeapEvents.REASON)));
        synchronized (last) {
            last.addFirst(refusal);
            if (last.size() > MOST) {
                last.removeLast();
            }
        }
    }

    /** {@return the refusals, the latest first} */
    List<Map<String, Object>> list() {
        synchronized (last) {
            return List.copyOf(last);
        }
    }
}
