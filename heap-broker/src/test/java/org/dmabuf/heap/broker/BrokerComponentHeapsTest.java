// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.AbstractList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReference;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapEvents;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.broker.event.BrokerEvents;
import org.dmabuf.heap.broker.event.EventAdminBridge;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.HeapExporter;
import org.junit.jupiter.api.Test;
import org.osgi.framework.Bundle;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventAdmin;

/** Tests of heaps that arrive, change and leave, with the calls of Declarative Services. */
class BrokerComponentHeapsTest extends BrokerInFramework {
    @Test
    void a_heap_serves_from_its_announcement_to_its_removal() {
        assertEquals(List.of(), states());
        RecordedLog.clear();
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        assertEquals(List.of(HeapState.SERVING), states());
        HeapInfo info = brokerOf(camera).heaps().getFirst();
        assertEquals(framework.getSymbolicName(), info.bundle());
        assertEquals("system", info.properties().get(HeapProperties.NAME));
        brokerOf(camera).allocate(REQUEST).close();
        remove(heap);
        assertEquals(List.of(), states());
        assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST));
        assertEquals(
                List.of(
                        "INFO heap 'system' of bundle " + framework.getSymbolicName() + " serves",
                        "INFO heap 'system' has left with 0 live buffers"),
                RecordedLog.lines());
    }

    @Test
    void each_service_of_a_heap_that_was_got_is_ungot() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        assertNotNull(heap.getReference().getUsingBundles());
        component.removeHeap(heap.getReference());
        assertNull(heap.getReference().getUsingBundles());
        component.removeHeap(heap.getReference()); // the service is no longer known
    }

    @Test
    void a_heap_whose_properties_change_is_routed_by_the_new_ones() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        heap.setProperties(FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "other")));
        component.changeHeap(heap.getReference());
        assertEquals(
                "other", brokerOf(camera).allocate(REQUEST.withHeaps("other")).heapName());
        remove(heap);
        component.changeHeap(heap("x", new FakeHeap()).getReference());
    }

    @Test
    void a_change_of_properties_without_a_change_of_state_is_not_logged() {
        RecordedLog.clear();
        String bundle = framework.getSymbolicName();
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        change(heap, Map.of(HeapProperties.NAME, "system", HeapProperties.PRIORITY, 7, "vendor.mood", "good"));
        assertEquals(List.of("INFO heap 'system' of bundle " + bundle + " serves"), RecordedLog.lines());
        RecordedLog.clear();
        change(heap, Map.of(HeapProperties.NAME, "other"));
        assertEquals(List.of("INFO heap 'other' of bundle " + bundle + " serves"), RecordedLog.lines());
        RecordedLog.clear();
        change(heap, Map.of(HeapProperties.NAME, "other", HeapProperties.ALIGNMENT, 3L));
        change(heap, Map.of(HeapProperties.NAME, "other", HeapProperties.ALIGNMENT, 3L, "vendor.mood", "bad"));
        assertEquals(
                List.of("WARN heap 'other' of bundle " + bundle
                        + " does not serve: invalid heap.alignment = 3: expected a power of two"),
                RecordedLog.lines());
    }

    @Test
    void a_shadowed_heap_that_takes_over_is_logged_before_the_first_has_drained() {
        String bundle = framework.getSymbolicName();
        ServiceRegistration<HeapExporter> first = heap("system", new FakeHeap());
        RecordedLog.clear();
        ServiceRegistration<HeapExporter> second = heap("system", new FakeHeap());
        assertEquals(
                List.of("WARN heap 'system' of bundle " + bundle + " does not serve: its name is taken by the heap of"
                        + " bundle " + bundle + "; it serves when that heap leaves"),
                RecordedLog.lines());
        RecordedLog.clear();
        remove(first);
        assertEquals(
                List.of(
                        "INFO heap 'system' of bundle " + bundle + " serves",
                        "INFO heap 'system' has left with 0 live buffers"),
                RecordedLog.lines());
        RecordedLog.clear();
        remove(second);
        assertEquals(List.of("INFO heap 'system' has left with 0 live buffers"), RecordedLog.lines());
        RecordedLog.clear();
        heap("system", new FakeHeap());
        assertEquals(List.of("INFO heap 'system' of bundle " + bundle + " serves"), RecordedLog.lines());
    }

    @Test
    void the_log_distinguishes_a_departed_heap_that_did_not_serve_from_its_namesake() {
        String bundle = framework.getSymbolicName();
        heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> shadowed = heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> refused = heap(new FakeHeap(), Map.of(HeapProperties.NAME, "a b"));
        RecordedLog.clear();
        remove(shadowed);
        remove(refused);
        assertEquals(
                List.of(
                        "INFO heap 'system' of bundle " + bundle + ", which did not serve, has left",
                        "INFO heap 'a b' of bundle " + bundle + ", which did not serve, has left"),
                RecordedLog.lines());
        brokerOf(camera).allocate(REQUEST.withHeaps("system")).close();
    }

    @Test
    void a_heap_leaves_even_if_an_event_receiver_fails() {
        component.addBrokerEvents(new BrokerEvents() {
            @Override
            public void changed(String name, String bundle, HeapState state, long buffers) {
                throw new IllegalStateException("made up: the Event Admin is stopped");
            }
        });
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        brokerOf(camera).allocate(REQUEST).close();
        component.removeHeap(heap.getReference());
        assertEquals(List.of(), states());
        assertNull(heap.getReference().getUsingBundles());
    }

    @Test
    void only_a_heap_that_was_reported_as_arrived_is_reported_as_departed() {
        RecordedBrokerEvents events = new RecordedBrokerEvents();
        component.addBrokerEvents(events);
        ServiceRegistration<HeapExporter> first = heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> shadowed = heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> refused = heap(new FakeHeap(), Map.of(HeapProperties.NAME, "a b"));
        remove(shadowed);
        remove(refused);
        assertEquals(List.of("system SERVING"), changes(events));
        remove(first);
        assertEquals(List.of("system SERVING", "system DRAINING", "system DEPARTED"), changes(events));
    }

    @Test
    void a_heap_whose_new_properties_are_invalid_has_departed() {
        RecordedBrokerEvents events = new RecordedBrokerEvents();
        component.addBrokerEvents(events);
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        change(heap, Map.of(HeapProperties.NAME, "other"));
        change(heap, Map.of(HeapProperties.NAME, "other", HeapProperties.ALIGNMENT, 3L));
        remove(heap);
        assertEquals(List.of("system SERVING", "system DEPARTED", "other SERVING", "other DEPARTED"), changes(events));
    }

    private static List<String> changes(RecordedBrokerEvents events) {
        return events.changes.stream()
                .map(change -> change.heap() + " " + change.state())
                .toList();
    }

    @Test
    void a_heap_of_a_bundle_without_a_symbolic_name_serves_and_leaves() throws Exception {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new JarOutputStream(bytes, manifest).close();
        Bundle nameless = framework
                .getBundleContext()
                .installBundle("test:nameless", new ByteArrayInputStream(bytes.toByteArray()));
        nameless.start();
        assertNull(nameless.getSymbolicName());
        List<String> posted = new CopyOnWriteArrayList<>();
        component.addBrokerEvents(new EventAdminBridge(FakeBundle.proxy(EventAdmin.class, (self, method, arguments) -> {
            posted.add(((Event) arguments[0]).getTopic());
            return null;
        })));
        ServiceRegistration<HeapExporter> heap = nameless.getBundleContext()
                .registerService(
                        HeapExporter.class,
                        new FakeHeap(),
                        FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "old")));
        component.addHeap(heap.getReference());
        brokerOf(camera).allocate(REQUEST.withHeaps("old")).close();
        assertEquals("", brokerOf(camera).heaps().getFirst().bundle());
        remove(heap);
        assertEquals(List.of(HeapEvents.ARRIVED, HeapEvents.DRAINING, HeapEvents.DEPARTED), posted);
    }

    @Test
    void a_heap_whose_properties_change_while_it_is_bound_has_the_new_ones() {
        Map<String, Object> properties = new HashMap<>(Map.of(HeapProperties.NAME, "old"));
        AtomicReference<ServiceRegistration<HeapExporter>> heap = new AtomicReference<>();
        properties.put(HeapProperties.EMULATES, Collections.unmodifiableList(new AbstractList<String>() {
            @Override
            public String get(int index) {
                throw new IndexOutOfBoundsException(index);
            }

            @Override
            public int size() { // read together with the properties, before the heap is known
                if (heap.get() != null) {
                    change(heap.getAndSet(null), Map.of(HeapProperties.NAME, "new"));
                }
                return 0;
            }
        }));
        ServiceRegistration<HeapExporter> bound = framework
                .getBundleContext()
                .registerService(HeapExporter.class, new FakeHeap(), FrameworkUtil.asDictionary(properties));
        heap.set(bound);
        component.addHeap(bound.getReference());
        assertNull(heap.get());
        assertEquals("new", brokerOf(camera).heaps().getFirst().name());
        remove(bound);
    }

    private void change(ServiceRegistration<HeapExporter> heap, Map<String, ?> properties) {
        heap.setProperties(FrameworkUtil.asDictionary(properties));
        component.changeHeap(heap.getReference());
    }

    @Test
    void a_change_of_a_heap_that_is_gone_has_no_effect() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        ServiceReference<HeapExporter> reference = heap.getReference();
        remove(heap);
        assertDoesNotThrow(() -> component.changeHeap(reference));
        assertEquals(List.of(), states());
    }

    @Test
    void a_heap_that_cannot_serve_is_reported_with_the_reason() {
        RecordedLog.clear();
        heap(new FakeHeap(), Map.of());
        String bundle = framework.getSymbolicName();
        String line = RecordedLog.lines().getFirst();
        assertTrue(line.startsWith("WARN heap 'service "), line);
        assertTrue(
                line.endsWith("' of bundle " + bundle
                        + " does not serve: invalid heap.name: expected a String that is not empty"),
                line);
    }

    @Test
    void a_heap_whose_service_is_gone_before_it_is_bound_is_ignored() {
        ServiceRegistration<HeapExporter> heap = framework
                .getBundleContext()
                .registerService(
                        HeapExporter.class,
                        new FakeHeap(),
                        FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "system")));
        ServiceReference<HeapExporter> reference = heap.getReference();
        heap.unregister();
        assertDoesNotThrow(() -> component.addHeap(reference));
        assertEquals(List.of(), states());
        assertDoesNotThrow(() -> component.removeHeap(reference));
    }

    @Test
    void a_heap_that_leaves_waits_for_the_call_inside_it() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        ServiceRegistration<HeapExporter> heap = heap("slow", new FakeHeap(request -> {
            inside.countDown();
            await(go);
            return new FakeMemory(request.size());
        }));
        HeapBroker own = brokerOf(camera);
        FutureTask<DmaBuf> allocation = new FutureTask<>(() -> own.allocate(REQUEST));
        Thread.ofPlatform().start(allocation);
        await(inside);
        drainWithoutHurry();
        FutureTask<Object> removal = new FutureTask<>(() -> remove(heap), null);
        Thread.ofPlatform().start(removal);
        Await.until("the heap is on its way out", () -> states().equals(List.of(HeapState.DRAINING)));
        HeapException refusal = assertThrows(HeapException.class, () -> own.allocate(REQUEST.withHeaps("slow")));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertFalse(removal.isDone());
        go.countDown();
        removal.get();
        allocation.get().close();
        assertEquals(List.of(), states());
    }

    @Test
    void a_heap_with_a_call_that_does_not_return_leaves_and_that_is_reported() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        ServiceRegistration<HeapExporter> heap = heap("stuck", new FakeHeap(request -> {
            inside.countDown();
            await(go);
            return new FakeMemory(request.size());
        }));
        HeapBroker own = brokerOf(camera);
        FutureTask<DmaBuf> allocation = new FutureTask<>(() -> own.allocate(REQUEST));
        Thread.ofPlatform().start(allocation);
        await(inside);
        component.modified(drain(-1), Map.of()); // as good as 0
        RecordedLog.clear();
        remove(heap);
        assertTrue(
                RecordedLog.lines().getFirst().startsWith("WARN heap 'stuck' left while calls were inside it: 1;"),
                RecordedLog.lines().toString());
        assertEquals(0, live());
        go.countDown();
        DmaBuf buffer = allocation.get();
        assertEquals(1, live(), "a buffer that came late is counted");
        buffer.close();
        assertEquals(List.of(), states());
    }
}
