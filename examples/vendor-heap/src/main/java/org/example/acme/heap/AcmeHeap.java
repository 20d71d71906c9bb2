// SPDX-License-Identifier: Apache-2.0
package org.example.acme.heap;

import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/**
 * A vendor's heap, whole: take a source of memory, say what is true of it, register it. The broker does the rest.
 *
 * <p>The component is immediate and registers the service itself, after it has the memory: no memory, no service.
 */
@Component(immediate = true, service = {}, configurationPid = "org.example.acme.heap")
@Designate(ocd = AcmeHeap.Config.class)
public final class AcmeHeap {
    /** What an integrator may set. */
    @ObjectClassDefinition(name = "ACME heap")
    public @interface Config {
        /** {@return the heap's unique name} */
        String heap_name() default "acme";

        /** {@return the heap's bit in a mask, 0 to 63} */
        int heap_id() default 40;

        /** {@return the heap's turn when a request names none: below 0 is after the system heap} */
        int heap_priority() default -10;
    }

    private final ServiceRegistration<HeapExporter> registration;

    @Activate
    public AcmeHeap(BundleContext context, Config config) {
        MemfdSource source = MemfdSource.open(config.heap_name(), Syscalls.linux(), Headroom.machine());
        Map<String, Object> properties = new HashMap<>(source.properties()); // backend, alignment, …
        properties.put(HeapProperties.NAME, config.heap_name());
        properties.put(HeapProperties.ID, config.heap_id());
        properties.put(HeapProperties.PRIORITY, config.heap_priority());
        properties.put(HeapProperties.TYPE, "acme");
        registration =
                context.registerService(HeapExporter.class, source, FrameworkUtil.asDictionary(properties));
    }

    @Deactivate
    void stop() {
        registration.unregister();
    }
}
