// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.lang.annotation.Annotation;
import java.lang.reflect.Proxy;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.WaitingHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.slf4j.Logger;
import org.slf4j.helpers.NOPLogger;

/** A framework that remembers which heaps are announced. Any other call of it is an error. */
final class Announced {
    /** One service, as it was registered. */
    record Heap(HeapExporter exporter, Map<String, Object> properties) {}

    /** For tests that do not look at it. */
    static final Logger NO_LOG = NOPLogger.NOP_LOGGER;

    final List<Heap> heaps = new CopyOnWriteArrayList<>();

    /** {@return the first heap, as soon as there is one} */
    Heap awaited() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (heaps.isEmpty() && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
        return heaps.getFirst();
    }

    @SuppressWarnings("unchecked") // what registerService of this type is called with
    BundleContext context() {
        return proxy(BundleContext.class, (method, arguments) -> switch (method) {
            case "registerService" -> {
                if (arguments[0] == WaitingHeap.class) { // which has no life beyond its registration
                    yield proxy(ServiceRegistration.class, (name, none) -> null);
                }
                Heap heap = new Heap(
                        (HeapExporter) arguments[1],
                        Map.copyOf(FrameworkUtil.asMap((Dictionary<String, Object>) arguments[2])));
                if (arguments[0] != HeapExporter.class) {
                    throw new UnsupportedOperationException("registered as " + arguments[0]);
                }
                heaps.add(heap);
                yield proxy(ServiceRegistration.class, (name, none) -> {
                    if (!name.equals("unregister") || !heaps.remove(heap)) {
                        throw new IllegalStateException(name);
                    }
                    return null;
                });
            }
            default -> throw new UnsupportedOperationException(method);
        });
    }

    /** {@return the context of a bundle that has stopped} */
    static BundleContext stopped() {
        return proxy(BundleContext.class, (method, arguments) -> {
            throw new IllegalStateException("the bundle has stopped");
        });
    }

    static SystemHeap.Config config(String name, int id, int priority) {
        return config(name, id, priority, "memfd");
    }

    static SystemHeap.Config config(String name, int id, int priority, String backend) {
        return config(name, id, priority, backend, "", "0");
    }

    static SystemHeap.Config config(
            String name, int id, int priority, String backend, String prewarm, String recycle) {
        return new SystemHeap.Config() {
            @Override
            public String heap_name() {
                return name;
            }

            @Override
            public int heap_id() {
                return id;
            }

            @Override
            public int heap_priority() {
                return priority;
            }

            @Override
            public String backend() {
                return backend;
            }

            @Override
            public String[] pool_prewarm() {
                return new String[] {prewarm};
            }

            @Override
            public String pool_recycle() {
                return recycle;
            }

            @Override
            public int pool_idle_s() {
                return 60;
            }

            @Override
            public Class<? extends Annotation> annotationType() {
                return SystemHeap.Config.class;
            }
        };
    }

    private interface Calls {
        Object call(String method, Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Calls calls) {
        return type.cast(Proxy.newProxyInstance(
                Announced.class.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> calls.call(method.getName(), arguments)));
    }
}
