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
    private final FactsWatch watch;

    /**
     * @param context the heap's
     * @param announced configured properties; those of the memory override them
     */
    HeapRegistration(BundleContext context, Map<String, Object> announced) {
        this(context, announced, FactsWatch.MACHINE);
    }

    HeapRegistration(BundleContext context, Map<String, Object> announced, FactsWatch watch) {
        this.context = context;
        this.announced = announced;
        this.watch = watch;
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
        Registered made = null;
        boolean registered = false;
        try {
            // The withdrawing object is made and watched before the registration, because nothing may fail after it.
            made = new Registered(opened);
            watch.add(made.renewal);
            made.register();
            registered = true;
            return made;
        } finally {
            if (!registered) {
                if (made != null) {
                    watch.remove(made.renewal);
                }
                opened.close();
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

    /** Withdrawal of a registered heap, and renewal of its properties. */
    private final class Registered implements Runnable {
        private final OpenedHeap opened;
        private final Runnable renewal = this::renew;
        private Map<String, Object> properties;
        /** Null before the registration. */
        private volatile ServiceRegistration<?> registration;

        Registered(OpenedHeap opened) {
            this.opened = opened;
            properties = properties();
        }

        private Map<String, Object> properties() {
            Map<String, Object> all = new HashMap<>(announced);
            all.putAll(opened.properties());
            HeapSettings.PLACE.forEach(place -> all.computeIfPresent(place, announced::getOrDefault));
            return all;
        }

        void register() {
            MemorySource source = opened.source();
            registration = context.registerService(types(source), source, FrameworkUtil.asDictionary(properties));
        }

        /** Announces properties that have changed. Only the thread of the watch calls it. */
        private void renew() {
            ServiceRegistration<?> current = registration;
            Map<String, Object> now = properties();
            if (current == null || now.equals(properties)) {
                return;
            }
            properties = now;
            try {
                current.setProperties(FrameworkUtil.asDictionary(now));
            } catch (IllegalStateException e) {
                // The heap leaves.
            }
        }

        @Override
        public void run() {
            watch.remove(renewal);
            registration.unregister(); // waits for allocations in progress, up to a limit
            opened.source().close();
        }
    }

    private static String[] types(MemorySource source) {
        return source instanceof RegionMap
                ? new String[] {HeapExporter.class.getName(), RegionMap.class.getName()}
                : new String[] {HeapExporter.class.getName()};
    }
}
