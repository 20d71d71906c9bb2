// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.util.Dictionary;
import java.util.Hashtable;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.DeviceProbe;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/**
 * Registration of an object that probes devices and reports the outcomes as demands. A property of the service changes
 * with the demands, so that the broker asks again. Any thread may call any method.
 */
final class ProbeRegistration {
    private static final String CHANGES = "outcomes.changes";

    private final AtomicLong changes = new AtomicLong();
    /** Null before the registration has returned. Other threads can use the service earlier. */
    private volatile ServiceRegistration<?> registration;

    /**
     * Registers the services. It is called once.
     *
     * @param context of the bundle
     * @param service the object
     * @param <S> both types of the service
     */
    <S extends DeviceDemands & DeviceProbe> void register(BundleContext context, S service) {
        String[] types = {DeviceDemands.class.getName(), DeviceProbe.class.getName()};
        long before = changes.get();
        registration = context.registerService(types, service, properties(before));
        if (changes.get() != before) {
            announce(); // a change during the registration
        }
    }

    private static Dictionary<String, ?> properties(long changes) {
        Hashtable<String, Object> properties = new Hashtable<>();
        properties.put(CHANGES, changes);
        return properties;
    }

    /** Announces that the demands have changed. */
    void announce() {
        long number = changes.incrementAndGet();
        ServiceRegistration<?> registered = registration;
        if (registered != null) {
            try {
                registered.setProperties(properties(number));
            } catch (IllegalStateException e) {
                // The bundle stops.
            }
        }
    }

    /** Ends the services. */
    void unregister() {
        registration.unregister();
    }
}
