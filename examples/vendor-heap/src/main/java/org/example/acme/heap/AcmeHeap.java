// SPDX-License-Identifier: Apache-2.0
package org.example.acme.heap;

import java.util.Map;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/**
 * Complete heap of a vendor: its settings and a source of memory. {@link HeapStart} registers the service only after it
 * has the memory. The broker does the rest.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = AcmeHeap.PID)
@Designate(ocd = AcmeHeap.Config.class)
public final class AcmeHeap {
    static final String PID = "org.example.acme.heap";

    /** Settings of the heap. */
    @ObjectClassDefinition(name = "ACME heap")
    public @interface Config {
        /** {@return the heap's unique name} */
        String heap_name() default "acme";

        /** {@return the heap's bit in a mask, 0 to 63} */
        int heap_id() default 40;

        /** {@return the heap's priority in a request that names no heaps; below 0 it comes after the system heap} */
        int heap_priority() default -10;
    }

    private final HeapStart start;

    @Activate
    public AcmeHeap(BundleContext context, Config config, Map<String, Object> properties) {
        start = HeapStart.of(context);
        configure(config, properties);
    }

    /** Logs a mistake in an edited file and leaves the heap unchanged. */
    @Modified
    void configure(Config config, Map<String, Object> properties) {
        HeapSettings settings =
                HeapSettings.of(PID, "acme", properties, config.heap_name(), config::heap_id, config::heap_priority);
        start.configure(settings, () -> OpenedHeap.of(MemfdSource.open(settings.heap())));
    }

    @Deactivate
    void stop() {
        start.close();
    }
}
