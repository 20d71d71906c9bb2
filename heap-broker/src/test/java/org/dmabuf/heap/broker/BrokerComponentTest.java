// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/** Tests of the component's start and stop. */
class BrokerComponentTest extends BrokerInFramework {
    /** Waits for reapers of other tests, which may still be ending. */
    private static void awaitReapers(long most) {
        Await.until("the reaper has ended", () -> reapers() <= most);
    }

    private static long reapers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("dmaheap-reaper"))
                .count();
    }

    @Test
    void when_the_broker_stops_everything_is_closed_and_its_thread_ends() {
        long others = reapers();
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        HeapBroker own = brokerOf(camera);
        DmaBuf buffer = own.allocate(REQUEST);
        own.publish(buffer, "front", Access.READ_WRITE);
        DmaBuf got = got(display).open();
        got.beginCpuAccess(Access.WRITE);
        deactivate();
        assertEquals(
                List.of("begin WRITE", "end WRITE", "release"),
                exporter.memory().calls());
        awaitReapers(others);
        assertNull(camera.getBundleContext().getServiceReference(HeapBroker.class));
        assertNull(published(display));
        assertThrows(IllegalStateException.class, () -> own.allocate(REQUEST));
        assertThrows(IllegalStateException.class, got::newReference);
    }

    @Test
    void a_stopped_broker_has_no_listeners() {
        BundleContext real = framework.getBundleContext();
        int[] listeners = new int[1];
        BundleContext counting = FakeBundle.proxy(BundleContext.class, (self, method, arguments) -> {
            listeners[0] += method.getName().equals("addBundleListener") ? 1 : 0;
            listeners[0] -= method.getName().equals("removeBundleListener") ? 1 : 0;
            return method.invoke(real, arguments);
        });
        BrokerComponent other = new BrokerComponent(counting, drain(2000), Map.of());
        other.activate();
        assertEquals(1, listeners[0]);
        other.deactivate();
        assertEquals(0, listeners[0]);
    }

    @Test
    void a_stopping_broker_drains_all_heaps_at_once_before_it_takes_resources_back() throws Exception {
        CountDownLatch inside = new CountDownLatch(2);
        CountDownLatch go = new CountDownLatch(1);
        AtomicInteger finished = new AtomicInteger();
        FakeHeap slow = new FakeHeap(request -> {
            inside.countDown();
            await(go);
            finished.incrementAndGet();
            return new FakeMemory(request.size());
        });
        ServiceRegistration<HeapExporter> one = heap("one", slow);
        heap("two", slow);
        FakeHeap fast = new FakeHeap();
        heap("three", fast);
        HeapBroker own = brokerOf(camera);
        DmaBuf held = own.allocate(REQUEST.withHeaps("three"));
        FutureTask<DmaBuf> first = new FutureTask<>(() -> own.allocate(REQUEST.withHeaps("one")));
        FutureTask<DmaBuf> second = new FutureTask<>(() -> own.allocate(REQUEST.withHeaps("two")));
        Thread.ofPlatform().start(first);
        Thread.ofPlatform().start(second);
        await(inside);
        drainWithoutHurry();
        FutureTask<Object> stopping = new FutureTask<>(this::deactivate, null);
        Thread.ofPlatform().start(stopping);
        Await.until("the gates are closed", () -> {
            try {
                own.allocate(REQUEST.withHeaps("three")).close();
                return false;
            } catch (HeapException e) {
                return e.errno() == Errno.ENODEV;
            }
        });
        assertDoesNotThrow(() -> held.newReference().close());
        assertEquals(
                List.of(HeapState.DRAINING, HeapState.DRAINING, HeapState.DRAINING),
                own.heaps().stream().map(HeapInfo::state).toList());
        assertEquals(
                "no heap for a buffer of 4 KiB: no heap serves. one: it is leaving and accepts no more requests; two:"
                        + " it is"
                        + " leaving and accepts no more requests; three: it is leaving and accepts no more requests",
                assertThrows(HeapException.class, () -> own.allocate(REQUEST)).getMessage());
        go.countDown();
        stopping.get();
        assertEquals(2, finished.get());
        for (FutureTask<DmaBuf> allocation : List.of(first, second)) {
            try {
                assertThrows(IllegalStateException.class, allocation.get()::newReference);
            } catch (ExecutionException e) { // taken back before it was handed out
                assertEquals(IllegalStateException.class, e.getCause().getClass());
            }
        }
        assertTrue(slow.memory().released());
        assertThrows(IllegalStateException.class, held::newReference);
        RecordedLog.clear();
        component.removeHeap(one.getReference()); // Declarative Services unbinds after the deactivation
        assertEquals(List.of("INFO heap 'one' has left with 0 live buffers"), RecordedLog.lines());
    }

    @Test
    void a_call_that_outlasts_the_drain_at_the_stop_is_reported_and_its_buffer_is_taken_back() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        FakeHeap stuck = new FakeHeap(request -> {
            inside.countDown();
            await(go);
            return new FakeMemory(request.size());
        });
        ServiceRegistration<HeapExporter> heap = heap("stuck", stuck);
        HeapBroker own = brokerOf(camera);
        FutureTask<DmaBuf> allocation = new FutureTask<>(() -> own.allocate(REQUEST));
        Thread.ofPlatform().start(allocation);
        await(inside);
        component.modified(drain(0), Map.of());
        deactivate();
        RecordedLog.clear();
        component.removeHeap(heap.getReference());
        assertTrue(
                RecordedLog.lines().getFirst().startsWith("WARN heap 'stuck' left while calls were inside it: 1;"),
                RecordedLog.lines().toString());
        go.countDown();
        assertTrue(assertThrows(Exception.class, allocation::get).getCause() instanceof IllegalStateException);
        assertTrue(stuck.memory().released());
    }

    @Test
    void an_arena_that_ends_after_the_brokers_stop_still_releases_the_memory() {
        memfd();
        brokerOf(camera).allocate(REQUEST).close();
        ProcessState before = ProcessState.now();
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        OwnedFd exported = buffer.exportFd();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment segment = buffer.map(Access.READ_WRITE, arena);
            deactivate();
            segment.fill((byte) 1);
            assertThrows(IllegalStateException.class, exported::fd);
            assertFalse(before.leftIn(ProcessState.now()).isEmpty());
        }
        before.assertNothingLeft();
    }

    @Test
    void an_activation_that_fails_leaves_no_thread_and_no_listener() throws Exception {
        long threads = reapers();
        BundleContext gone = display.getBundleContext();
        BrokerComponent unlucky = new BrokerComponent(gone, drain(2000), Map.of());
        display.stop(); // the bundle stops while Declarative Services activates
        assertThrows(IllegalStateException.class, unlucky::activate);
        awaitReapers(threads);

        int[] listeners = new int[1];
        BundleContext refusing = FakeBundle.proxy(BundleContext.class, (self, method, arguments) -> {
            switch (method.getName()) {
                case "addBundleListener" -> listeners[0]++;
                case "removeBundleListener" -> listeners[0]--;
                case "registerService" -> throw new IllegalStateException("made up");
                default -> throw new UnsupportedOperationException(method.toString());
            }
            return null;
        });
        BrokerComponent refused = new BrokerComponent(refusing, drain(2000), Map.of());
        assertThrows(IllegalStateException.class, refused::activate);
        awaitReapers(threads);
        assertEquals(0, listeners[0]);
    }

    @Test
    void an_activation_that_cannot_start_a_thread_leaves_none() throws Exception {
        long threads = reapers();
        BrokerComponent unlucky = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        LeakDetector started = (LeakDetector) field(unlucky, "leaks");
        started.start(); // so that its second start fails, as a start fails when the system has no thread left
        assertThrows(IllegalThreadStateException.class, unlucky::activate);
        awaitReapers(threads);
    }

    private static Object field(BrokerComponent of, String name) throws ReflectiveOperationException {
        var field = BrokerComponent.class.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }

    @Test
    void a_broker_whose_bundle_stopped_first_takes_everything_back() throws Exception {
        long threads = reapers();
        BrokerComponent late = new BrokerComponent(display.getBundleContext(), drain(2000), Map.of());
        late.activate();
        display.stop();
        late.deactivate();
        awaitReapers(threads);
    }

    /** Framework without this package, although Java has it: its list of system packages is configured. */
    @Test
    void the_broker_works_without_the_package_of_flight_recorder() throws Exception {
        ClassLoader blind = new ClassLoader(getClass().getClassLoader()) {
            @Override
            protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
                if (name.startsWith("jdk.jfr.")) {
                    throw new ClassNotFoundException(name);
                }
                if (!name.startsWith("org.dmabuf.heap.broker.")) {
                    return super.loadClass(name, resolve);
                }
                Class<?> loaded = findLoadedClass(name);
                try (InputStream code = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
                    byte[] bytes = code.readAllBytes();
                    return loaded != null ? loaded : defineClass(name, bytes, 0, bytes.length);
                } catch (IOException e) {
                    throw new ClassNotFoundException(name, e);
                }
            }
        };
        var flight = blind.loadClass(BrokerComponent.class.getName()).getDeclaredMethod("flightRecorderEvents");
        flight.setAccessible(true);
        RecordedLog.clear();
        assertNotNull(flight.invoke(null));
        assertEquals(
                List.of("INFO events are not recorded in Flight Recorder: java.lang.NoClassDefFoundError:"
                        + " jdk/jfr/ValueDescriptor"),
                RecordedLog.lines());
    }

    @Test
    void heaps_bound_before_the_activation_serve_from_the_start() {
        deactivate();
        component = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        heap("system", new FakeHeap());
        assertNull(camera.getBundleContext().getServiceReference(HeapBroker.class));
        activate();
        brokerOf(camera).allocate(REQUEST).close();
    }

    @Test
    void the_monitor_service_lists_charges_while_the_broker_runs() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        BundleContext context = camera.getBundleContext();
        HeapMonitor monitor = context.getService(context.getServiceReference(HeapMonitor.class));
        component.modified(config(Map.of("allocation_sites", true)), Map.of());
        DmaBuf open = brokerOf(camera).allocate(REQUEST);
        assertEquals("org.example.camera", monitor.buffers().getFirst().client().toString());
        assertTrue(
                monitor.buffers().getFirst().site().stream()
                        .anyMatch(frame -> !frame.getClassName().startsWith("org.dmabuf.heap.broker.")),
                () -> monitor.buffers().getFirst().site().toString());
        remove(heap);
        assertEquals(
                List.of("adopted", "system"),
                monitor.usageByHeap().stream()
                        .map(record -> record.heap().orElseThrow())
                        .toList(),
                "it still has charged memory");
        assertEquals(4096, open.size());
        deactivate();
        assertNull(context.getServiceReference(HeapMonitor.class));
        assertEquals(List.of(), monitor.buffers());
    }
}
