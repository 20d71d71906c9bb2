// SPDX-License-Identifier: Apache-2.0
package org.example.policy;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * Heap {@value #NAME} that takes its memory from the system heap and adds a policy: a buffer has at most
 * {@value #LARGEST} bytes. Declarative Services starts it when the other heap is registered, and stops it before that
 * heap leaves. The setting {@code other.target = (heap.name=cma)} selects another heap.
 *
 * <p>The broker charges the memory to this heap only, because the other heap is called without the broker.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = "org.example.policy.heap")
public final class PolicyHeap {
    static final String NAME = "small";
    static final long LARGEST = 1 << 20;

    private static final int ID = 42;
    private static final int AFTER_OTHERS = -30;

    private final ServiceRegistration<HeapExporter> registration;

    /**
     * Registers the heap.
     *
     * @param context the bundle's context
     * @param other the heap that makes the memory, with its service properties
     */
    @Activate
    public PolicyHeap(
            BundleContext context,
            @Reference(name = "other", target = "(heap.name=system)")
                    Map.Entry<Map<String, Object>, HeapExporter> other) {
        registration = context.registerService(
                HeapExporter.class,
                new LimitedExporter(other.getValue()),
                FrameworkUtil.asDictionary(properties(other.getKey())));
    }

    /** The facts on the memory are those of the other heap. */
    private static Map<String, Object> properties(Map<String, Object> announced) {
        Map<String, Object> properties = new HashMap<>();
        announced.forEach((key, value) -> {
            if (key.startsWith("heap.")) {
                properties.put(key, value);
            }
        });
        properties.put(HeapProperties.NAME, NAME);
        properties.put(HeapProperties.ID, ID);
        properties.put(HeapProperties.PRIORITY, AFTER_OTHERS);
        properties.put(HeapProperties.SIZE_MAX, LARGEST);
        return properties;
    }

    @Deactivate
    void stop() {
        registration.unregister();
    }
}
