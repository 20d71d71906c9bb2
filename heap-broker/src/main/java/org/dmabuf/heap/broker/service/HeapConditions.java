// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.condition.Condition;

/**
 * Publisher of an OSGi Condition for each heap that serves, so that a component can start when its heap is available:
 * {@code @Reference(service = Condition.class, target = "(&(osgi.condition.id=dmabuf.heap)(heap.name=camera))")}.
 */
public final class HeapConditions implements BrokerEvents {
    private final BundleContext context;
    private final HeapRegistry registry;
    /**
     * The entry of one condition. It is stored before the condition is registered, so that the condition can always be
     * withdrawn.
     */
    private static final class Standing {
        volatile ServiceRegistration<Condition> registration;
    }

    /** The conditions by heap name. Events of one name do not overlap. */
    private final Map<String, Standing> conditions = new ConcurrentHashMap<>();

    private volatile boolean closed;

    public HeapConditions(BundleContext context, HeapRegistry registry) {
        this.context = context;
        this.registry = registry;
    }

    @Override
    public void changed(String heap, String bundle, HeapState state, long buffers) {
        withdraw(heap);
        if (state == HeapState.SERVING && !closed) {
            Standing standing = new Standing();
            conditions.put(heap, standing);
            standing.registration = context.registerService(
                    Condition.class, Condition.INSTANCE, FrameworkUtil.asDictionary(properties(heap)));
            if (closed) {
                withdraw(heap);
            }
        }
    }

    private Map<String, Object> properties(String heap) {
        Map<String, Object> properties = new HashMap<>();
        properties.put(Condition.CONDITION_ID, HeapProperties.CONDITION);
        properties.put(HeapProperties.NAME, heap);
        RegisteredHeap serving = registry.routes().named(heap);
        if (serving != null && serving.description().properties().get(HeapProperties.TYPE) instanceof String type) {
            properties.put(HeapProperties.TYPE, type);
        }
        return properties;
    }

    private void withdraw(String heap) {
        Standing standing = conditions.remove(heap);
        if (standing != null && standing.registration != null) {
            try {
                standing.registration.unregister();
            } catch (IllegalStateException e) {
                // The framework already unregistered it, because the broker's bundle has stopped.
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        conditions.keySet().forEach(this::withdraw);
    }
}
