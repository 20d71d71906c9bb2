// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.annotation.Annotation;
import java.lang.reflect.Proxy;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;

/**
 * Recorder of the services that a heap's component registers. It stands in for the framework and supports nothing else:
 * any other call fails. Any thread may call any method.
 */
public final class Announced {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

    /** One registered service. */
    public static final class Heap {
        private final List<String> types;
        private final HeapExporter exporter;
        private final Map<String, Object> properties;

        private Heap(List<String> types, HeapExporter exporter, Map<String, Object> properties) {
            this.types = types;
            this.exporter = exporter;
            this.properties = properties;
        }

        /** {@return names of the service's types} */
        public List<String> types() {
            return types;
        }

        /** {@return the service} */
        public HeapExporter exporter() {
            return exporter;
        }

        /** {@return the service's properties} */
        public Map<String, Object> properties() {
            return properties;
        }
    }

    private interface Calls {
        Object call(String method, Object[] arguments);
    }

    private static final Bundle BUNDLE = proxy(Bundle.class, (method, none) -> {
        if (!method.equals("getSymbolicName")) {
            throw new UnsupportedOperationException(method);
        }
        return "org.example.announced";
    });

    private final List<Heap> heaps = new CopyOnWriteArrayList<>();
    /** Service properties of the heaps that do not serve. */
    private final List<Map<String, Object>> unavailable = new CopyOnWriteArrayList<>();

    private final BundleContext context = proxy(BundleContext.class, (method, arguments) -> {
        return switch (method) {
            case "registerService" -> arguments[0] == UnavailableHeap.class ? listed(arguments) : registered(arguments);
            case "getServiceReferences" -> references(arguments);
            default -> throw new UnsupportedOperationException(method);
        };
    });

    /** Makes a recorder without services. */
    public Announced() {}

    /** {@return the context of a bundle that runs} */
    public BundleContext context() {
        return context;
    }

    /** {@return the context of a bundle that has stopped} */
    public static BundleContext stopped() {
        return proxy(BundleContext.class, (method, arguments) -> {
            throw new IllegalStateException("the bundle has stopped");
        });
    }

    /** {@return the heaps that are registered now, in the order of their registrations} */
    public List<Heap> heaps() {
        return List.copyOf(heaps);
    }

    /**
     * Returns the reason of the one heap that cannot start.
     *
     * @return a sentence without the heap's name
     * @throws AssertionError unless exactly one heap is announced, it does not serve, and its start is not repeated
     */
    public String refusal() {
        if (!heaps.isEmpty() || unavailable.size() != 1) {
            throw new AssertionError(
                    heaps.size() + " heaps serve, expected none and one that cannot start: " + unavailable);
        }
        Map<String, Object> heap = unavailable.getFirst();
        if (!Boolean.FALSE.equals(heap.get(UnavailableHeap.RETRIED))) {
            throw new AssertionError("this heap's start is repeated, expected a heap that cannot start: " + heap);
        }
        return (String) heap.get(UnavailableHeap.REASON);
    }

    /**
     * Returns the reason of the one heap that is not registered yet and whose start is repeated.
     *
     * @return a sentence without the heap's name
     * @throws AssertionError unless exactly one heap does not serve, and its start is repeated
     */
    public String waiting() {
        if (unavailable.size() != 1
                || !Boolean.TRUE.equals(unavailable.getFirst().get(UnavailableHeap.RETRIED))) {
            throw new AssertionError("these heaps do not serve, expected one whose start is repeated: " + unavailable);
        }
        return (String) unavailable.getFirst().get(UnavailableHeap.REASON);
    }

    /**
     * Waits for a heap, for at most a minute.
     *
     * @return the first heap that is registered now
     * @throws java.util.NoSuchElementException when no heap was registered in that time
     */
    public Heap awaited() {
        return awaited(_ -> true);
    }

    /**
     * Waits for a heap, for at most a minute.
     *
     * @param wanted whether it is the heap to wait for
     * @return the first such heap that is registered now
     * @throws java.util.NoSuchElementException when no such heap was registered in that time
     */
    public Heap awaited(Predicate<Heap> wanted) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (heaps.stream().noneMatch(wanted) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
        return heaps.stream().filter(wanted).findFirst().orElseThrow();
    }

    /**
     * Makes a configuration, as Declarative Services passes it to a component.
     *
     * @param type the component's annotation
     * @param set values by method name; other methods return their defaults
     * @param <C> the annotation
     * @return the configuration
     */
    public static <C extends Annotation> C config(Class<C> type, Map<String, ?> set) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, none) ->
                        set.containsKey(method.getName()) ? set.get(method.getName()) : method.getDefaultValue()));
    }

    private Object registered(Object[] arguments) {
        Heap heap = new Heap(types(arguments[0]), (HeapExporter) arguments[1], properties(arguments[2]));
        heaps.add(heap);
        return registration(heaps, heap);
    }

    /** Returns the references of all heaps, the only search that a component may make. */
    private List<?> references(Object[] arguments) {
        if (arguments[0] != HeapExporter.class || arguments[1] != null) {
            throw new UnsupportedOperationException("getServiceReferences of " + arguments[0] + ", " + arguments[1]);
        }
        return heaps.stream()
                .map(heap -> proxy(ServiceReference.class, (method, none) -> switch (method) {
                    case "getProperty" -> heap.properties().get(none[0]);
                    case "getBundle" -> BUNDLE;
                    default -> throw new UnsupportedOperationException(method);
                }))
                .toList();
    }

    private Object listed(Object[] arguments) {
        Map<String, Object> heap = properties(arguments[2]);
        unavailable.add(heap);
        return registration(unavailable, heap);
    }

    @SuppressWarnings("unchecked") // what services are registered with
    private static Map<String, Object> properties(Object dictionary) {
        return Map.copyOf(FrameworkUtil.asMap((Dictionary<String, Object>) dictionary));
    }

    private static Object registration(List<?> services, Object service) {
        return proxy(ServiceRegistration.class, (name, none) -> {
            if (!name.equals("unregister") || !services.remove(service)) {
                throw new IllegalStateException(name);
            }
            return null;
        });
    }

    private static List<String> types(Object types) {
        return switch (types) {
            case Class<?> one -> List.of(one.getName());
            case String one -> List.of(one);
            default -> List.of((String[]) types);
        };
    }

    private static <T> T proxy(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> calls.call(method.getName(), arguments)));
    }
}
