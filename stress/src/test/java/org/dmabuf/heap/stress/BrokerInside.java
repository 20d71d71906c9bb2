// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/**
 * The broker's counters from outside its bundle. Its classes are the bundle's own, so everything is asked by name; what
 * each client holds it tells nobody, and is read from its fields.
 */
final class BrokerInside {
    private final BundleContext context;

    BrokerInside(BundleContext context) {
        this.context = context;
    }

    /** {@return a line for each heap that has something out, or that has left and is still known} */
    List<String> leftOver() {
        List<String> left = new ArrayList<>();
        for (Object heap : (Collection<?>) call(broker(), "org.dmabuf.heap.HeapBroker", "heaps")) {
            String type = "org.dmabuf.heap.HeapInfo";
            long buffers = (Long) call(heap, type, "liveBuffers");
            long bytes = (Long) call(heap, type, "liveBytes");
            String state = call(heap, type, "state").toString();
            if (buffers != 0 || bytes != 0 || !List.of("SERVING", "ADOPTED").contains(state)) {
                left.add("heap '" + call(heap, type, "name") + "', " + state + ": " + buffers + " buffers, " + bytes
                        + " bytes");
            }
        }
        return left;
    }

    /** {@return how many things each client has open, by symbolic name} */
    Map<String, Integer> holdings() {
        Map<String, Integer> holdings = new TreeMap<>();
        for (Object broker : ((Map<?, ?>) field(field(broker(), "clients"), "brokers")).values()) {
            Object client = field(broker, "client");
            holdings.put(
                    field(client, "bundle").toString(), ((Collection<?>) field(client, "holdings")).size());
        }
        return holdings;
    }

    /** {@return whether the service is registered} */
    boolean isThere() {
        return service() != null;
    }

    private Object broker() {
        ServiceReference<?> service = service();
        if (service == null) {
            throw new AssertionError("no HeapBroker is registered");
        }
        return context.getService(service);
    }

    /** Of whatever class loader the interface is: this class path has one of the same name. */
    private ServiceReference<?> service() {
        try {
            ServiceReference<?>[] found = context.getAllServiceReferences("org.dmabuf.heap.HeapBroker", null);
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

    private static Object field(Object target, String name) {
        try {
            Field field = target.getClass().getDeclaredField(name);
            field.setAccessible(true);
            return field.get(target);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError("the broker has changed; tell the soak where it keeps '" + name + "' now", e);
        }
    }
}
