// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests.events;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventConstants;
import org.osgi.service.event.EventHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Activator of a bundle that logs each event of the broker. */
public final class EventPrinter implements BundleActivator, EventHandler {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.itests");

    /** Called by the framework. */
    public EventPrinter() {}

    @Override
    public void start(BundleContext context) {
        context.registerService(
                EventHandler.class,
                this,
                FrameworkUtil.asDictionary(Map.of(EventConstants.EVENT_TOPIC, "org/dmabuf/heap/*")));
    }

    @Override
    public void stop(BundleContext context) {}

    @Override
    public void handleEvent(Event event) {
        LOG.info("event {} {}", event.getTopic(), event.getProperty(HeapProperties.NAME));
    }
}
