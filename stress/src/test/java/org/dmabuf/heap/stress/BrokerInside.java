// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/**
 * Access to the broker's services from outside its class space. The interfaces belong to the bundle, so all calls use
 * reflection.
 */
final class BrokerInside {
    private static final String BROKER = "org.dmabuf.heap.HeapBroker";
    private static final String INFO = "org.dmabuf.heap.HeapInfo";
    private static final String MONITOR = "org.dmabuf.heap.HeapMonitor";
    private static final String CHARGES = "org.dmabuf.heap.UsageRecord";
    private static final String BUFFER = "org.dmabuf.heap.BufferRecord";

    private final BundleContext context;

    BrokerInside(BundleContext context) {
        this.context = context;
    }

    /** {@return a line for each heap that has charged memory, or has left and is still known} */
    List<String> leftOver() {
        List<String> left = new ArrayList<>();
        for (Object heap : list(BROKER, "heaps")) {
            String state = call(heap, INFO, "state").toString();
            if (!state.equals("SERVING")) {
                left.add("heap '" + call(heap, INFO, "name") + "', " + state);
            }
        }
        for (String sums : List.of("usageByHeap", "usageByClient", "usageByClientAndHeap")) {
            for (Object charges : list(MONITOR, sums)) {
                if (out(charges) != 0) {
                    left.add(sums + ": " + charges);
                }
            }
        }
        left.addAll(buffersOf(""));
        return left;
    }

    /** {@return a line for each buffer that is charged to clients whose symbolic name has this prefix} */
    List<String> buffersOf(String prefix) {
        List<String> lines = new ArrayList<>();
        for (Object buffer : list(MONITOR, "buffers")) {
            if (call(buffer, BUFFER, "client").toString().startsWith(prefix)) {
                lines.add(buffer.toString());
            }
        }
        return lines;
    }

    /** {@return impossible values in a new dump and in the sums} */
    List<String> impossible() {
        List<String> wrong = new ArrayList<>();
        for (String sums : List.of("usageByHeap", "usageByClient", "usageByClientAndHeap")) {
            for (Object charges : list(MONITOR, sums)) {
                for (String sum : List.of("liveBuffers", "liveBytes", "lingeringBuffers", "lingeringBytes")) {
                    if ((Long) call(charges, CHARGES, sum) < 0) {
                        wrong.add(sums + ": " + charges);
                    }
                }
            }
        }
        for (Object buffer : list(MONITOR, "buffers")) {
            boolean lingers = (Boolean) call(buffer, BUFFER, "lingering");
            if ((Long) call(buffer, BUFFER, "size") <= 0
                    || (Integer) call(buffer, BUFFER, "references") < 0
                    || lingers && (Integer) call(buffer, BUFFER, "mappings") > 0
                    || lingers && !(Boolean) call(buffer, BUFFER, "exported")) {
                wrong.add(buffer.toString());
            }
        }
        return wrong;
    }

    void resetPeaks() {
        call(service(MONITOR), MONITOR, "resetPeaks");
    }

    /** {@return whether both services are registered} */
    boolean isThere() {
        return reference(BROKER) != null && reference(MONITOR) != null;
    }

    private static long out(Object charges) {
        long out = 0;
        for (String sum : List.of("liveBuffers", "liveBytes", "lingeringBuffers", "lingeringBytes")) {
            out |= (Long) call(charges, CHARGES, sum);
        }
        return out;
    }

    private Collection<?> list(String type, String method) {
        return (Collection<?>) call(service(type), type, method);
    }

    private Object service(String type) {
        ServiceReference<?> reference = reference(type);
        Object service = reference == null ? null : context.getService(reference);
        if (service == null) {
            throw new IllegalStateException("no " + type + " is registered");
        }
        return service;
    }

    /** Finds services of any class loader, because this class path has a different interface of the same name. */
    private ServiceReference<?> reference(String type) {
        try {
            ServiceReference<?>[] found = context.getAllServiceReferences(type, null);
            return found == null ? null : found[0];
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static Object call(Object target, String type, String method) {
        try {
            Method found = target.getClass().getClassLoader().loadClass(type).getMethod(method);
            return found.invoke(target);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(type + "." + method, e);
        }
    }
}
