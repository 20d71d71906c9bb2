// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/** Registrar of the services of one heap. Each method returns what ends the registration. */
final class HeapRegistration {
    /** Withdrawal of a heap that has no memory and no service. */
    static final Runnable NOTHING = () -> {};

    private final BundleContext context;
    private final Map<String, Object> announced;

    /**
     * @param context the heap's
     * @param announced configured properties; those of the memory go before them
     */
    HeapRegistration(BundleContext context, Map<String, Object> announced) {
        this.context = context;
        this.announced = announced;
    }

    /** Lists the heap as one that does not serve. */
    static Runnable unavailable(BundleContext context, Map<String, Object> properties) {
        Listed listed = new Listed(); // before the service is registered: nothing fails after that
        listed.registration = context.registerService(
                UnavailableHeap.class, new UnavailableHeap() {}, FrameworkUtil.asDictionary(properties));
        return listed;
    }

    /** Closes the source when the heap cannot be registered. */
    Runnable register(OpenedHeap opened) {
        if (opened.isNone()) {
            return NOTHING;
        }
        Registered registered = null;
        try {
            Map<String, Object> properties = new HashMap<>(announced);
            properties.putAll(opened.properties());
            // The object that withdraws is made before the service is registered: nothing fails after that.
            Registered made = new Registered(opened.source());
            made.registration = context.registerService(
                    types(made.source), made.source, FrameworkUtil.asDictionary(properties));
            registered = made;
            return made;
        } finally {
            if (registered == null) {
                opened.source().close();
            }
        }
    }

    /** Withdrawal of a heap that is listed as one that does not serve. */
    private static final class Listed implements Runnable {
        private ServiceRegistration<UnavailableHeap> registration;

        @Override
        public void run() {
            registration.unregister();
        }
    }

    /** Withdrawal of a heap that is registered. */
    private static final class Registered implements Runnable {
        private final MemorySource source;
        private ServiceRegistration<?> registration;

        Registered(MemorySource source) {
            this.source = source;
        }

        @Override
        public void run() {
            registration.unregister(); // waits for the allocations under way, within limits
            source.close();
        }
    }

    private static String[] types(MemorySource source) {
        return source instanceof RegionMap
                ? new String[] {HeapExporter.class.getName(), RegionMap.class.getName()}
                : new String[] {HeapExporter.class.getName()};
    }
}
