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

/** Registrar of the services of one heap. Each method returns an action that ends the registration. */
final class HeapRegistration {
    /** Withdrawal of a heap without memory and service. */
    static final Runnable NOTHING = () -> {};

    private final BundleContext context;
    private final Map<String, Object> announced;

    /**
     * @param context the heap's
     * @param announced configured properties; those of the memory override them
     */
    HeapRegistration(BundleContext context, Map<String, Object> announced) {
        this.context = context;
        this.announced = announced;
    }

    /** Registers an {@link UnavailableHeap} for the heap. */
    static Runnable unavailable(BundleContext context, Map<String, Object> properties) {
        Listed listed = new Listed(); // made before the registration, after which nothing may fail
        listed.registration = context.registerService(
                UnavailableHeap.class, new UnavailableHeap() {}, FrameworkUtil.asDictionary(properties));
        return listed;
    }

    /** Registers the heap. Closes the source if that fails. */
    Runnable register(OpenedHeap opened) {
        if (opened.isNone()) {
            return NOTHING;
        }
        Registered registered = null;
        try {
            Map<String, Object> properties = new HashMap<>(announced);
            properties.putAll(opened.properties());
            // The withdrawing object is made before the registration, because nothing may fail after it.
            Registered made = new Registered(opened.source());
            made.registration =
                    context.registerService(types(made.source), made.source, FrameworkUtil.asDictionary(properties));
            registered = made;
            return made;
        } finally {
            if (registered == null) {
                opened.source().close();
            }
        }
    }

    /** Withdrawal of an {@link UnavailableHeap}. */
    private static final class Listed implements Runnable {
        private ServiceRegistration<UnavailableHeap> registration;

        @Override
        public void run() {
            registration.unregister();
        }
    }

    /** Withdrawal of a registered heap. */
    private static final class Registered implements Runnable {
        private final MemorySource source;
        private ServiceRegistration<?> registration;

        Registered(MemorySource source) {
            this.source = source;
        }

        @Override
        public void run() {
            registration.unregister(); // waits for allocations in progress, up to a limit
            source.close();
        }
    }

    private static String[] types(MemorySource source) {
        return source instanceof RegionMap
                ? new String[] {HeapExporter.class.getName(), RegionMap.class.getName()}
                : new String[] {HeapExporter.class.getName()};
    }
}
