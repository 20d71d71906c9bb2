// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.HeapExporter;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentConfigurationDTO;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;

/**
 * Components that offer heaps and that Declarative Services failed to start. They are of vendors that do not use the
 * registration helper of heap-linux. The reason is the failure text that Declarative Services keeps.
 */
public final class StartFailures {
    private static final String CAUSE = "Caused by: ";

    /** Null while no runtime is registered. */
    private volatile ServiceComponentRuntime runtime;

    public synchronized void runtime(ServiceComponentRuntime now) {
        runtime = now;
    }

    /** Forgets a runtime, unless another one has replaced it. */
    public synchronized void forget(ServiceComponentRuntime gone) {
        if (runtime == gone) {
            runtime = null;
        }
    }

    /** {@return the failed heaps by {@code component.id}} */
    public Map<Long, UnavailableHeaps.Unavailable> byComponent() {
        Map<Long, UnavailableHeaps.Unavailable> failed = new HashMap<>();
        ServiceComponentRuntime now = runtime;
        if (now == null) {
            return failed;
        }
        for (ComponentDescriptionDTO component : now.getComponentDescriptionDTOs()) {
            if (Arrays.asList(component.serviceInterfaces).contains(HeapExporter.class.getName())) {
                for (ComponentConfigurationDTO started : now.getComponentConfigurationDTOs(component)) {
                    if (started.state == ComponentConfigurationDTO.FAILED_ACTIVATION) {
                        failed.put(started.id, failed(component, started));
                    }
                }
            }
        }
        return failed;
    }

    private static UnavailableHeaps.Unavailable failed(
            ComponentDescriptionDTO component, ComponentConfigurationDTO started) {
        String name = started.properties.get(HeapProperties.NAME) instanceof String own ? own : component.name;
        String reason = "component " + component.name + " failed to start: " + Printable.of(cause(started.failure))
                + "; correct the cause, then change its configuration or restart its bundle";
        return new UnavailableHeaps.Unavailable(
                Printable.of(name), reason, false, component.bundle == null ? "" : component.bundle.symbolicName);
    }

    /** {@return the line of a stack trace that names the root cause} */
    private static String cause(String trace) {
        if (trace == null) {
            return "the reason is unknown";
        }
        return trace.lines()
                .filter(line -> line.startsWith(CAUSE))
                .map(line -> line.substring(CAUSE.length()))
                .reduce((first, last) -> last)
                .orElseGet(() -> trace.lines().findFirst().orElse("the reason is unknown"));
    }
}
