// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.carveout;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.lang.reflect.Proxy;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.WaitingHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/** A framework that remembers which heaps are announced. Any other call of it is an error. */
final class Announced {
    /** One service, as it was registered. */
    record Heap(HeapExporter exporter, Map<String, Object> properties) {}

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
                assertArrayEquals(
                        new String[] {HeapExporter.class.getName(), RegionMap.class.getName()},
                        (String[]) arguments[0]);
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

    /** @param set values by the method's name; the rest are the defaults */
    static CarveoutHeap.Config config(Map<String, ?> set) {
        return (CarveoutHeap.Config) Proxy.newProxyInstance(
                Announced.class.getClassLoader(), new Class<?>[] {CarveoutHeap.Config.class}, (proxy, method, none) ->
                        set.containsKey(method.getName()) ? set.get(method.getName()) : method.getDefaultValue());
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
