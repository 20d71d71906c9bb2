// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.spi.RegionMap;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

class HeapRegistrationTest {
    private interface MappedSource extends MemorySource, RegionMap {}

    /** Recorded steps, in order. */
    private final List<String> steps = new ArrayList<>();

    private volatile Dictionary<?, ?> properties;
    private volatile long limit = 1;
    private boolean refuses;

    private final BundleContext context = proxy(BundleContext.class, arguments -> {
        if (refuses) {
            throw new IllegalStateException("the bundle stops");
        }
        steps.add("register " + (arguments[0] instanceof String[] types ? Arrays.toString(types) : arguments[0]));
        properties = (Dictionary<?, ?>) arguments[2];
        return proxy(ServiceRegistration.class, call -> {
            if (call == null) {
                steps.add("unregister");
            } else {
                properties = (Dictionary<?, ?>) call[0];
            }
            return null;
        });
    });
    private final HeapRegistration registration =
            new HeapRegistration(context, Map.of("heap.name", "camera", "heap.dmabuf", "configured"));

    private interface Call {
        Object make(Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Call call) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (_, _, arguments) -> call.make(arguments)));
    }

    private <T extends MemorySource> T source(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (_, method, _) -> switch (method.getName()) {
                    case "properties" -> Map.of("heap.dmabuf", true, "heap.size.max", limit);
                    case "close" -> {
                        steps.add("close");
                        yield null;
                    }
                    default -> throw new AssertionError(method.toString());
                }));
    }

    @Test
    void a_heap_is_withdrawn_before_its_source_is_closed_and_the_sources_properties_win() {
        Runnable withdrawal =
                registration.register(OpenedHeap.of(source(MemorySource.class)).with("heap.protected", true));
        assertEquals("camera", properties.get("heap.name"));
        assertEquals(true, properties.get("heap.dmabuf"));
        assertEquals(true, properties.get("heap.protected"));
        withdrawal.run();
        assertEquals(List.of("register [org.dmabuf.heap.spi.HeapExporter]", "unregister", "close"), steps);
    }

    @Test
    void a_configured_address_takes_precedence_over_the_machine_s() {
        new HeapRegistration(context, Map.of("heap.name", "camera", "heap.address.max", 0x3FFF_FFFFL))
                .register(OpenedHeap.of(source(MemorySource.class))
                        .with("heap.address.min", 4096L)
                        .with("heap.address.max", 1L << 40));
        assertEquals(0x3FFF_FFFFL, properties.get("heap.address.max"));
        assertEquals(4096L, properties.get("heap.address.min"));
        assertEquals(null, properties.get("heap.dma.bits"));
    }

    @Test
    void a_fact_that_changes_is_announced_again_until_the_heap_is_withdrawn() throws InterruptedException {
        long threads = threads();
        Runnable withdrawal = new HeapRegistration(context, Map.of("heap.name", "camera"), new FactsWatch(1_000_000))
                .register(OpenedHeap.of(source(MemorySource.class)));
        limit = 2;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!properties.get("heap.size.max").equals(2L)) {
            assertTrue(System.nanoTime() - deadline < 0, properties::toString);
            Thread.sleep(1);
        }
        assertEquals("camera", properties.get("heap.name"));
        withdrawal.run();
        while (threads() > threads) {
            assertTrue(System.nanoTime() - deadline < 0, "the thread ends with the last heap");
            Thread.sleep(1);
        }
    }

    /** {@return the number of threads that watch facts; heaps of other tests have one, too} */
    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("dmaheap-facts"))
                .count();
    }

    @Test
    void a_source_with_a_region_map_is_registered_as_that_too() {
        registration.register(OpenedHeap.of(source(MappedSource.class)));
        assertEquals(List.of("register [org.dmabuf.heap.spi.HeapExporter, org.dmabuf.heap.spi.RegionMap]"), steps);
    }

    @Test
    void a_source_that_cannot_be_registered_is_closed() {
        refuses = true;
        OpenedHeap opened = OpenedHeap.of(source(MemorySource.class));
        assertThrows(IllegalStateException.class, () -> registration.register(opened));
        assertEquals(List.of("close"), steps);
    }

    @Test
    void an_unavailable_heap_is_listed_until_its_registration_is_withdrawn() {
        Runnable end = HeapRegistration.unavailable(context, Map.of("heap.name", "camera"));
        assertEquals("camera", properties.get("heap.name"));
        assertEquals(List.of("register interface org.dmabuf.heap.spi.UnavailableHeap"), steps);
        end.run();
        assertEquals("unregister", steps.getLast());
    }

    @Test
    void without_memory_nothing_is_registered() {
        assertSame(HeapRegistration.NOTHING, registration.register(OpenedHeap.none()));
        assertEquals(List.of(), steps);
    }

    @Test
    void a_step_that_fails_closes_the_source() {
        OpenedHeap opened = OpenedHeap.of(source(MemorySource.class));
        assertThrows(
                OutOfMemoryError.class,
                () -> opened.then(_ -> {
                    throw new OutOfMemoryError("made up");
                }));
        assertEquals(List.of("close"), steps);
    }
}
