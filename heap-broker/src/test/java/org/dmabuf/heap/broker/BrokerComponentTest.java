// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.Collections;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.Charges;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapEvents;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.linux.Fd;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.MemfdSource;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceObjects;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventAdmin;

/**
 * The component in a real framework, with bundles that are empty jars: the tests act in their name. Declarative
 * Services is played here, so that the order of its calls can be chosen.
 */
class BrokerComponentTest {
    private static final AllocationRequest REQUEST = AllocationRequest.of(4096).name("frame");

    @TempDir
    Path storage;

    private Framework framework;
    private Bundle camera;
    private Bundle display;
    private BrokerComponent component;
    private boolean active;

    @BeforeEach
    void launch() throws Exception {
        framework = ServiceLoader.load(FrameworkFactory.class)
                .findFirst()
                .orElseThrow()
                .newFramework(Map.of(Constants.FRAMEWORK_STORAGE, storage.toString(), "felix.log.level", "0"));
        framework.start();
        camera = bundle("org.example.camera", null);
        display = bundle("org.example.display", null);
        component = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        component.activate();
        active = true;
    }

    @AfterEach
    void shutDown() throws Exception {
        if (active) {
            component.deactivate();
        }
        framework.stop();
        framework.waitForStop(0);
    }

    private static BrokerComponent.Config drain(int millis) {
        return config(Map.of("drain_ms", millis));
    }

    /** A configuration as Declarative Services makes it: what is not set has its default. */
    private static BrokerComponent.Config config(Map<String, ?> set) {
        return FakeBundle.proxy(
                BrokerComponent.Config.class,
                (self, method, arguments) -> set.containsKey(method.getName())
                        ? set.get(method.getName())
                        : method.getDefaultValue());
    }

    /** An empty bundle, with an activator of this test or without. */
    private Bundle bundle(String name, Class<? extends BundleActivator> activator) throws Exception {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_MANIFESTVERSION, "2");
        manifest.getMainAttributes().putValue(Constants.BUNDLE_SYMBOLICNAME, name);
        if (activator != null) {
            manifest.getMainAttributes().putValue(Constants.BUNDLE_ACTIVATOR, activator.getName());
            manifest.getMainAttributes().putValue(Constants.IMPORT_PACKAGE, "org.osgi.framework");
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            if (activator != null) {
                String file = activator.getName().replace('.', '/') + ".class";
                jar.putNextEntry(new ZipEntry(file));
                try (InputStream code = activator.getClassLoader().getResourceAsStream(file)) {
                    code.transferTo(jar);
                }
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        Bundle bundle = framework
                .getBundleContext()
                .installBundle("test:" + name, new ByteArrayInputStream(bytes.toByteArray()));
        bundle.start();
        return bundle;
    }

    private HeapBroker brokerOf(Bundle bundle) {
        BundleContext context = bundle.getBundleContext();
        return context.getService(context.getServiceReference(HeapBroker.class));
    }

    /** A heap's service, announced to the component as Declarative Services would. */
    private ServiceRegistration<HeapExporter> heap(HeapExporter exporter, Map<String, ?> properties) {
        ServiceRegistration<HeapExporter> registration = framework
                .getBundleContext()
                .registerService(HeapExporter.class, exporter, FrameworkUtil.asDictionary(properties));
        component.addHeap(registration.getReference());
        return registration;
    }

    private ServiceRegistration<HeapExporter> heap(String name, HeapExporter exporter) {
        return heap(exporter, Map.of(HeapProperties.NAME, name));
    }

    private ServiceRegistration<HeapExporter> memfd() {
        MemfdSource source = MemfdSource.open("system", Syscalls.linux(), Headroom.machine());
        var properties = new java.util.HashMap<String, Object>(source.properties());
        properties.put(HeapProperties.NAME, "system");
        return heap(source, properties);
    }

    private void remove(ServiceRegistration<HeapExporter> heap) {
        ServiceReference<HeapExporter> reference = heap.getReference();
        heap.unregister();
        component.removeHeap(reference);
    }

    private List<HeapState> states() {
        return brokerOf(camera).heaps().stream().map(HeapInfo::state).toList();
    }

    private long live() {
        return brokerOf(camera).heaps().stream().mapToLong(HeapInfo::liveBuffers).sum();
    }

    /** Those of other tests may still be on their way out. */
    private static void awaitReapers(long most) {
        Await.until("the reaper has ended", () -> reapers() <= most);
    }

    private static long reapers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("dmaheap-reaper"))
                .count();
    }

    private void deactivate() {
        active = false;
        component.deactivate();
    }

    // Heaps

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
                        "INFO heap 'system' has left, 0 buffers of it live on"),
                RecordedLog.lines());
    }

    @Test
    void a_heap_got_is_a_heap_ungot() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        assertNotNull(heap.getReference().getUsingBundles());
        component.removeHeap(heap.getReference());
        assertNull(heap.getReference().getUsingBundles());
        component.removeHeap(heap.getReference()); // not known any more
    }

    @Test
    void a_heap_that_changes_its_properties_is_routed_anew() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        heap.setProperties(FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "other")));
        component.changeHeap(heap.getReference());
        assertEquals("other", brokerOf(camera).allocate(REQUEST.from("other")).heapName());
        remove(heap);
        component.changeHeap(heap("x", new FakeHeap()).getReference());
    }

    @Test
    void a_change_of_properties_that_moves_no_heap_is_not_told() {
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
                        + " does not serve: heap.alignment is 3, which is no power of two"),
                RecordedLog.lines());
    }

    @Test
    void a_heap_that_comes_out_of_the_shadow_is_told_before_the_first_has_drained() {
        String bundle = framework.getSymbolicName();
        ServiceRegistration<HeapExporter> first = heap("system", new FakeHeap());
        RecordedLog.clear();
        ServiceRegistration<HeapExporter> second = heap("system", new FakeHeap());
        assertEquals(
                List.of("WARN heap 'system' of bundle " + bundle + " does not serve: its name is taken by the heap of"
                        + " bundle " + bundle + "; it serves when that one goes"),
                RecordedLog.lines());
        RecordedLog.clear();
        remove(first);
        assertEquals(
                List.of(
                        "INFO heap 'system' of bundle " + bundle + " serves",
                        "INFO heap 'system' has left, 0 buffers of it live on"),
                RecordedLog.lines());
        RecordedLog.clear();
        remove(second);
        assertEquals(List.of("INFO heap 'system' has left, 0 buffers of it live on"), RecordedLog.lines());
        RecordedLog.clear();
        heap("system", new FakeHeap());
        assertEquals(List.of("INFO heap 'system' of bundle " + bundle + " serves"), RecordedLog.lines());
    }

    @Test
    void a_heap_leaves_also_when_nobody_can_be_told() {
        component.addJournal(new Journal() {
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
    void only_a_heap_that_arrived_departs() {
        RecordedJournal told = new RecordedJournal();
        component.addJournal(told);
        ServiceRegistration<HeapExporter> first = heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> shadowed = heap("system", new FakeHeap());
        ServiceRegistration<HeapExporter> refused = heap(new FakeHeap(), Map.of(HeapProperties.NAME, "a b"));
        remove(shadowed);
        remove(refused);
        assertEquals(List.of("system SERVING"), changes(told));
        remove(first);
        assertEquals(List.of("system SERVING", "system DRAINING", "system DEPARTED"), changes(told));
    }

    @Test
    void a_heap_that_serves_no_more_by_its_properties_has_departed() {
        RecordedJournal told = new RecordedJournal();
        component.addJournal(told);
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        change(heap, Map.of(HeapProperties.NAME, "other"));
        change(heap, Map.of(HeapProperties.NAME, "other", HeapProperties.ALIGNMENT, 3L));
        remove(heap);
        assertEquals(
                List.of("system SERVING", "system DEPARTED", "other SERVING", "other DEPARTED"), changes(told));
    }

    private static List<String> changes(RecordedJournal told) {
        return told.changes.stream()
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
        component.addJournal(new EventAdminBridge(FakeBundle.proxy(EventAdmin.class, (self, method, arguments) -> {
            posted.add(((Event) arguments[0]).getTopic());
            return null;
        })));
        ServiceRegistration<HeapExporter> heap = nameless.getBundleContext()
                .registerService(
                        HeapExporter.class,
                        new FakeHeap(),
                        FrameworkUtil.asDictionary(Map.of(HeapProperties.NAME, "old")));
        component.addHeap(heap.getReference());
        brokerOf(camera).allocate(REQUEST.from("old")).close();
        assertEquals("", brokerOf(camera).heaps().getFirst().bundle());
        remove(heap);
        assertEquals(List.of(HeapEvents.ARRIVED, HeapEvents.DRAINING, HeapEvents.DEPARTED), posted);
    }

    @Test
    void a_heap_that_changes_its_properties_while_it_is_bound_is_held_as_it_is_now() {
        Map<String, Object> properties = new HashMap<>(Map.of(HeapProperties.NAME, "old"));
        AtomicReference<ServiceRegistration<HeapExporter>> heap = new AtomicReference<>();
        properties.put(HeapProperties.EMULATES, Collections.unmodifiableList(new AbstractList<String>() {
            @Override
            public String get(int index) {
                throw new IndexOutOfBoundsException(index);
            }

            @Override
            public int size() { // read when the properties are, and before the heap is known
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
    void a_change_of_a_heap_that_is_gone_is_nothing() {
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
                        + " does not serve: heap.name is missing or no String; announce one"),
                line);
    }

    @Test
    void a_heap_whose_service_went_before_it_was_bound_is_passed_over() {
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
        HeapException refusal = assertThrows(HeapException.class, () -> own.allocate(REQUEST.from("slow")));
        assertEquals(Errno.ENODEV, refusal.errno());
        assertFalse(removal.isDone());
        go.countDown();
        removal.get();
        allocation.get().close();
        assertEquals(List.of(), states());
    }

    @Test
    void a_heap_with_a_call_that_does_not_come_back_leaves_and_that_is_reported() throws Exception {
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
                RecordedLog.lines().getFirst().startsWith("WARN heap 'stuck' left with calls still inside it: 1;"),
                RecordedLog.lines().toString());
        assertEquals(0, live());
        go.countDown();
        DmaBuf buffer = allocation.get();
        assertEquals(1, live(), "a buffer that came late is counted");
        buffer.close();
        assertEquals(List.of(), states());
    }

    /** What can be configured is over on a busy machine while the test looks. */
    private void drainWithoutHurry() throws ReflectiveOperationException {
        var nanos = BrokerComponent.class.getDeclaredField("drainNanos");
        nanos.setAccessible(true);
        nanos.set(component, TimeUnit.MINUTES.toNanos(1));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    // Clients

    @Test
    void each_bundle_sees_a_broker_of_its_own_whatever_it_gets_and_ungets() {
        heap("system", new FakeHeap());
        BundleContext context = camera.getBundleContext();
        ServiceReference<HeapBroker> reference = context.getServiceReference(HeapBroker.class);
        assertEquals(Constants.SCOPE_BUNDLE, reference.getProperty(Constants.SERVICE_SCOPE));
        HeapBroker own = context.getService(reference);
        assertNotSame(own, brokerOf(display));
        DmaBuf buffer = own.allocate(REQUEST);
        context.ungetService(reference);
        assertSame(own, context.getService(reference));
        buffer.duplicate().close();
    }

    @Test
    void a_stopped_bundles_buffers_are_taken_back_and_a_started_ones_work() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        HeapBroker own = brokerOf(display);
        DmaBuf buffer = own.allocate(REQUEST);
        display.stop();
        assertTrue(exporter.memory().released());
        assertThrows(IllegalStateException.class, buffer::duplicate);
        assertThrows(IllegalStateException.class, own::heaps);
        display.start();
        brokerOf(display).allocate(REQUEST).close();
    }

    /** A bundle that fails on its way down. */
    public static final class FailsToStop implements BundleActivator {
        @Override
        public void start(BundleContext context) {
            // Nothing to do.
        }

        @Override
        public void stop(BundleContext context) {
            throw new IllegalStateException("made up");
        }
    }

    @Test
    void a_bundle_whose_activator_fails_in_stop_gives_its_buffers_back_all_the_same() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        Bundle careless = bundle("org.example.careless", FailsToStop.class);
        HeapBroker own = brokerOf(careless);
        DmaBuf open = own.allocate(REQUEST);
        assertThrows(BundleException.class, careless::stop); // and Felix fires no STOPPED
        assertEquals(Bundle.RESOLVED, careless.getState());
        assertEquals(0, live());
        assertTrue(exporter.memory().released());
        assertThrows(IllegalStateException.class, open::duplicate);
        careless.start();
        HeapBroker fresh = brokerOf(careless);
        assertNotSame(own, fresh);
        try (DmaBuf buffer = fresh.allocate(REQUEST);
                Publication publication = fresh.publish(buffer, "frame")) {
            assertNotNull(publication);
        }
    }

    @Test
    void a_bundle_that_gave_its_broker_back_and_fails_in_stop_is_noticed_at_the_next_event() throws Exception {
        heap("system", new FakeHeap());
        Bundle careless = bundle("org.example.careless", FailsToStop.class);
        DmaBuf open = brokerOf(careless).allocate(REQUEST);
        BundleContext context = careless.getBundleContext();
        context.ungetService(context.getServiceReference(HeapBroker.class));
        assertThrows(BundleException.class, careless::stop);
        careless.uninstall();
        assertEquals(0, live());
        assertThrows(IllegalStateException.class, open::duplicate);
    }

    // Publications

    private static ServiceReference<DmaBuf> published(Bundle by) {
        return by.getBundleContext().getServiceReference(DmaBuf.class);
    }

    private static ServiceObjects<DmaBuf> objects(Bundle getter, ServiceReference<DmaBuf> reference) {
        return getter.getBundleContext().getServiceObjects(reference);
    }

    private ServiceObjects<DmaBuf> objects(ServiceReference<DmaBuf> reference) {
        return objects(display, reference);
    }

    @Test
    void a_published_buffer_is_a_service_with_its_name_size_and_heap() {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        ServiceReference<DmaBuf> reference = published(display);
        assertEquals("front", reference.getProperty(HeapProperties.BUFFER_NAME));
        assertEquals(4096L, reference.getProperty(HeapProperties.BUFFER_SIZE));
        assertEquals("system", reference.getProperty(HeapProperties.NAME));
        assertEquals(Constants.SCOPE_PROTOTYPE, reference.getProperty(Constants.SERVICE_SCOPE));
        assertSame(camera, reference.getBundle());
        publication.close();
        publication.close();
        assertNull(published(display));
    }

    @Test
    void a_bundle_that_closed_its_publications_is_not_complained_of() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        brokerOf(display).publish(buffer, "front").close();
        buffer.close();
        RecordedLog.clear();
        display.stop();
        assertEquals(List.of(), RecordedLog.lines());
    }

    @Test
    void a_publication_that_is_taken_back_counts_once() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        brokerOf(display).publish(buffer, "front");
        buffer.close();
        RecordedLog.clear();
        display.stop();
        assertEquals(
                List.of("WARN bundle org.example.display has stopped: took back 1 references, CPU accesses, descriptors"
                        + " and publications of bundle org.example.display"),
                RecordedLog.lines());
        assertEquals(0, live());
    }

    @Test
    void a_publication_holds_the_memory_and_is_not_charged_again() {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        buffer.close();
        assertEquals(1, live());
        assertEquals(List.of(), exporter.memory().calls());
        publication.close();
        assertTrue(exporter.memory().released());
        assertEquals(0, live());
    }

    @Test
    void each_getter_holds_a_reference_until_it_ungets() {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        buffer.close();
        ServiceObjects<DmaBuf> objects = objects(published(display));
        DmaBuf one = objects.getService();
        DmaBuf two = objects.getService();
        assertNotSame(one, two);
        one.close(); // does nothing: who got it ungets it
        one.beginCpuAccess(Access.READ).close();
        DmaBuf own = one.duplicate();
        objects.ungetService(one);
        assertThrows(IllegalStateException.class, one::duplicate);
        two.beginCpuAccess(Access.READ).close();
        publication.close(); // the framework ungets for everybody
        assertThrows(IllegalStateException.class, two::duplicate);
        assertEquals(1, live());
        own.close(); // a duplicate is the getter's own
        assertTrue(exporter.memory().released());
        assertEquals(0, live());
    }

    @Test
    void a_reference_that_was_ungot_is_not_kept_by_the_publication() {
        heap("system", new FakeHeap());
        Publication publication = brokerOf(camera).publish(brokerOf(camera).allocate(REQUEST), "front");
        ServiceObjects<DmaBuf> objects = objects(published(display));
        DmaBuf[] got = {objects.getService()};
        WeakReference<DmaBuf> gone = new WeakReference<>(got[0]);
        objects.ungetService(got[0]);
        got[0] = null;
        Await.untilCollected("the reference goes", () -> gone.refersTo(null));
        publication.close();
    }

    @Test
    void a_getter_that_stops_drops_its_references_and_no_others() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        brokerOf(camera).publish(buffer, "front");
        DmaBuf got = objects(published(display)).getService();
        DmaBuf own = got.duplicate();
        display.stop();
        assertThrows(IllegalStateException.class, got::duplicate);
        assertThrows(IllegalStateException.class, own::duplicate);
        buffer.duplicate().close();
        assertEquals(1, live());
    }

    @Test
    void a_publisher_that_stops_takes_its_publications_along() throws Exception {
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(display).publish(buffer, "front");
        DmaBuf got = camera.getBundleContext().getService(published(camera));
        DmaBuf own = got.duplicate();
        display.stop();
        assertNull(published(camera));
        assertThrows(IllegalStateException.class, got::duplicate);
        assertEquals(1, live());
        own.close();
        assertTrue(exporter.memory().released());
        assertDoesNotThrow(publication::close);
    }

    @Test
    void a_bundle_may_publish_another_bundles_buffer_which_then_outlives_that_bundle() throws Exception {
        heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(display).allocate(REQUEST);
        Publication publication = brokerOf(camera).publish(buffer, "front");
        display.stop();
        assertSame(camera, published(camera).getBundle());
        assertEquals(1, live());
        objects(camera, published(camera)).getService().duplicate().close();
        publication.close();
        assertEquals(0, live());
    }

    /** Felix forgets a getter that comes while the service goes: its unget never reaches the publication. */
    @Test
    void a_reference_got_while_the_publication_closes_is_dropped_with_it() {
        heap("system", new FakeHeap());
        HeapBroker own = brokerOf(camera);
        class Round {
            final AtomicInteger got = new AtomicInteger();
            final DmaBuf buffer = own.allocate(REQUEST);
            final Publication publication = own.publish(buffer, "front");
            final ServiceObjects<DmaBuf> objects = objects(published(display));
        }
        Round[] now = new Round[1];
        new Race()
                .before(round -> {
                    now[0] = new Round();
                    now[0].buffer.close();
                })
                .with(round -> {
                    while (now[0].objects.getService() != null) {
                        now[0].got.incrementAndGet();
                    }
                })
                .with(round -> {
                    Race.awaitSome(now[0].got);
                    now[0].publication.close();
                })
                .after(round -> assertEquals(0, live(), "round " + round))
                .run(500);
    }

    // Start and stop

    @Test
    void when_the_broker_stops_everything_is_closed_and_its_thread_ends() {
        long others = reapers();
        FakeHeap exporter = new FakeHeap();
        heap("system", exporter);
        HeapBroker own = brokerOf(camera);
        DmaBuf buffer = own.allocate(REQUEST);
        own.publish(buffer, "front");
        DmaBuf got = objects(published(display)).getService();
        got.beginCpuAccess(Access.WRITE);
        deactivate();
        assertEquals(List.of("begin WRITE", "end WRITE", "release"), exporter.memory().calls());
        awaitReapers(others);
        assertNull(camera.getBundleContext().getServiceReference(HeapBroker.class));
        assertNull(published(display));
        assertThrows(IllegalStateException.class, () -> own.allocate(REQUEST));
        assertThrows(IllegalStateException.class, got::duplicate);
    }

    @Test
    void a_broker_that_stops_listens_no_more() {
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
    void a_broker_that_stops_drains_all_heaps_at_once_before_it_takes_anything_back() throws Exception {
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
        DmaBuf held = own.allocate(REQUEST.from("three"));
        FutureTask<DmaBuf> first = new FutureTask<>(() -> own.allocate(REQUEST.from("one")));
        FutureTask<DmaBuf> second = new FutureTask<>(() -> own.allocate(REQUEST.from("two")));
        Thread.ofPlatform().start(first);
        Thread.ofPlatform().start(second);
        await(inside);
        drainWithoutHurry();
        FutureTask<Object> stopping = new FutureTask<>(this::deactivate, null);
        Thread.ofPlatform().start(stopping);
        Await.until("the gates are closed", () -> {
            try {
                own.allocate(REQUEST.from("three")).close();
                return false;
            } catch (HeapException e) {
                return e.errno() == Errno.ENODEV;
            }
        });
        assertDoesNotThrow(() -> held.duplicate().close());
        assertEquals(
                List.of(HeapState.DRAINING, HeapState.DRAINING, HeapState.DRAINING),
                own.heaps().stream().map(HeapInfo::state).toList());
        assertEquals(
                "no heap for a buffer of 4 KiB: none serves. one: it is leaving and takes no more requests; two: it is"
                        + " leaving and takes no more requests; three: it is leaving and takes no more requests",
                assertThrows(HeapException.class, () -> own.allocate(REQUEST)).getMessage());
        go.countDown();
        stopping.get();
        assertEquals(2, finished.get());
        for (FutureTask<DmaBuf> allocation : List.of(first, second)) {
            try {
                assertThrows(IllegalStateException.class, allocation.get()::duplicate);
            } catch (ExecutionException e) { // taken back before it was handed out
                assertEquals(IllegalStateException.class, e.getCause().getClass());
            }
        }
        assertTrue(slow.memory().released());
        assertThrows(IllegalStateException.class, held::duplicate);
        RecordedLog.clear();
        component.removeHeap(one.getReference()); // Declarative Services unbinds after the deactivation
        assertEquals(List.of("INFO heap 'one' has left, 0 buffers of it live on"), RecordedLog.lines());
    }

    @Test
    void a_call_that_outlasts_the_drain_of_a_stopping_broker_is_reported_and_its_buffer_taken_back() throws Exception {
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
                RecordedLog.lines().getFirst().startsWith("WARN heap 'stuck' left with calls still inside it: 1;"),
                RecordedLog.lines().toString());
        go.countDown();
        assertTrue(
                assertThrows(Exception.class, allocation::get).getCause() instanceof IllegalStateException);
        assertTrue(stuck.memory().released());
    }

    @Test
    void an_arena_that_ends_after_the_brokers_stop_still_gives_the_memory_back() {
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
    void an_activation_without_a_thread_to_be_had_leaves_none() throws Exception {
        long threads = reapers();
        BrokerComponent unlucky = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        Leaks started = (Leaks) field(unlucky, "leaks");
        started.start(); // so that its second start fails, as it does when the system has no thread left
        assertThrows(IllegalThreadStateException.class, unlucky::activate);
        awaitReapers(threads);
    }

    private static Object field(BrokerComponent of, String name) throws ReflectiveOperationException {
        var field = BrokerComponent.class.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }

    @Test
    void a_broker_whose_bundle_stopped_first_gives_everything_back_all_the_same() throws Exception {
        long threads = reapers();
        BrokerComponent late = new BrokerComponent(display.getBundleContext(), drain(2000), Map.of());
        late.activate();
        display.stop();
        late.deactivate();
        awaitReapers(threads);
    }

    @Test
    void the_wait_for_a_leaving_heap_is_bounded_below_that_of_declarative_services() throws Exception {
        var nanos = BrokerComponent.class.getDeclaredField("drainNanos");
        nanos.setAccessible(true);
        Map<Integer, Long> bounded =
                Map.of(-1, 0L, 0, 0L, 1, 1_000_000L, 4000, 4_000_000_000L, Integer.MAX_VALUE, 4_000_000_000L);
        for (Map.Entry<Integer, Long> entry : bounded.entrySet()) {
            component.modified(drain(entry.getKey()), Map.of());
            assertEquals(entry.getValue(), nanos.get(component));
        }
        deactivate();
        assertEquals(0L, nanos.get(component), "the unbinds that follow have nothing to wait for");
    }

    @Test
    void a_drain_that_is_no_number_is_reported_and_changes_nothing() throws Exception {
        BrokerComponent.Config wrong = FakeBundle.proxy(BrokerComponent.Config.class, (self, method, arguments) -> {
            if (method.getName().equals("drain_ms")) {
                throw new NumberFormatException("For input string: \"soon\""); // as Declarative Services does
            }
            return method.getName().equals("allow") ? new String[] {"system=nobody"} : method.getDefaultValue();
        });
        component.modified(drain(1234), Map.of());
        RecordedLog.clear();
        component.modified(wrong, Map.of());
        assertEquals(
                List.of("ERROR configuration org.dmabuf.heap.broker: drain.ms is no number: For input string:"
                        + " \"soon\"; it stays 1234 ms"),
                RecordedLog.lines());
        heap("system", new FakeHeap());
        assertEquals(
                Errno.EACCES,
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST)).errno());
        new BrokerComponent(framework.getBundleContext(), wrong, Map.of());
    }

    /** A framework that does not show the package, though Java has it: the list of its system packages is set. */
    @Test
    void without_the_package_of_flight_recorder_there_is_a_broker_all_the_same() throws Exception {
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
        var flight = blind.loadClass(BrokerComponent.class.getName()).getDeclaredMethod("flightJournal");
        flight.setAccessible(true);
        RecordedLog.clear();
        assertNotNull(flight.invoke(null));
        assertEquals(
                List.of("INFO without events for Flight Recorder: java.lang.NoClassDefFoundError:"
                        + " jdk/jfr/ValueDescriptor"),
                RecordedLog.lines());
    }

    @Test
    void heaps_bound_before_the_activation_serve_from_its_first_moment() {
        deactivate();
        component = new BrokerComponent(framework.getBundleContext(), drain(2000), Map.of());
        heap("system", new FakeHeap());
        assertNull(camera.getBundleContext().getServiceReference(HeapBroker.class));
        component.activate();
        active = true;
        brokerOf(camera).allocate(REQUEST).close();
    }

    @Test
    void quotas_and_permissions_change_at_run_time_and_what_is_wrong_changes_none_of_them() {
        heap("system", new FakeHeap());
        DmaBuf held = brokerOf(camera).allocate(REQUEST);
        component.modified(
                config(Map.of(
                        "quota_client",
                        new String[] {"org.example.camera=6K"},
                        "allow",
                        new String[] {"system=*.camera"})),
                Map.of());
        for (int again = 0; again < 2; again++) {
            HeapException over = assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST));
            assertEquals(Errno.ENOMEM, over.errno());
            HeapException refused = assertThrows(HeapException.class, () -> brokerOf(display).allocate(REQUEST));
            assertEquals(Errno.EACCES, refused.errno());
            assertTrue(
                    refused.getMessage().contains("bundle org.example.display at test:org.example.display"),
                    refused.getMessage());
            RecordedLog.clear();
            component.modified(
                    config(Map.of(
                            "quota_client",
                            new String[] {"*=1G org.example.camera=lots"},
                            "allow",
                            new String[0])),
                    Map.of());
            assertEquals(
                    List.of("ERROR configuration org.dmabuf.heap.broker: quota.client: 'org.example.camera=lots' is"
                            + " none; write a size in bytes, or with K, M, G or T behind the number; none of its quotas"
                            + " and permissions was taken over, those before stay in force"),
                    RecordedLog.lines());
        }
        RecordedLog.clear();
        component.modified(drain(2000), Map.of("quotas.heap", "system=64M", "service.pid", BrokerComponent.PID));
        assertEquals(
                List.of("WARN configuration org.dmabuf.heap.broker: 'quotas.heap' is no setting, and nobody reads it;"
                        + " there are: adopt.unsealed, allocation.sites, allow, drain.ms, quota.client,"
                        + " quota.client.on.heap, quota.heap"),
                RecordedLog.lines());
        assertEquals(1, live(), "what was out stayed");
        brokerOf(display).allocate(REQUEST).close();
        brokerOf(camera).allocate(REQUEST).close();
        held.close();
    }

    @Test
    void a_slip_in_the_first_configuration_opens_nothing_and_the_rest_is_in_force() {
        deactivate();
        RecordedLog.clear();
        component = new BrokerComponent(
                framework.getBundleContext(),
                config(Map.of(
                        "quota_heap", new String[] {"small=lots system=6K"},
                        "allow", new String[] {"camera= display=*.display secret"})),
                Map.of());
        assertEquals(3, RecordedLog.lines().size(), () -> RecordedLog.lines().toString());
        assertEquals(
                "ERROR configuration org.dmabuf.heap.broker: allow: 'secret' is none; write HEAP=BUNDLE, for instance"
                        + " secure=org.example.*; its other quotas and permissions are in force, and a heap that it"
                        + " means to open is closed",
                RecordedLog.lines().getLast());
        component.activate();
        active = true;
        for (String name : List.of("system", "camera", "display", "secret")) {
            heap(name, new FakeHeap());
        }
        for (String closed : List.of("camera", "display", "secret")) {
            assertEquals(
                    Errno.EACCES,
                    assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST.from(closed)))
                            .errno());
        }
        brokerOf(display).allocate(REQUEST.from("display")).close();
        DmaBuf held = brokerOf(camera).allocate(REQUEST.from("system"));
        assertEquals(
                Errno.ENOMEM,
                assertThrows(HeapException.class, () -> brokerOf(camera).allocate(REQUEST.from("system")))
                        .errno());
        held.close();
    }

    @Test
    void memory_that_can_lose_pages_is_adopted_only_while_that_is_set() {
        Syscalls syscalls = Syscalls.linux();
        for (boolean accept : new boolean[] {false, true, false}) {
            component.modified(config(Map.of("adopt_unsealed", accept)), Map.of());
            int fd = syscalls.memfdCreate("peer", 0x2); // MFD_ALLOW_SEALING
            try (OwnedFd made = new Fd(syscalls, fd)) {
                assertEquals(0, syscalls.fallocate(fd, 0, 0, 4096));
                assertEquals(0, syscalls.fcntl(fd, 1033, 0x2)); // F_ADD_SEALS, F_SEAL_SHRINK
                if (accept) {
                    brokerOf(camera).adopt(made, "").close();
                } else {
                    HeapException refusal = assertThrows(
                            HeapException.class, () -> brokerOf(camera).adopt(made, ""));
                    assertEquals(Errno.EPERM, refusal.errno());
                }
            }
        }
    }

    @Test
    void what_is_charged_is_told_by_a_service_for_as_long_as_the_broker_runs() {
        ServiceRegistration<HeapExporter> heap = heap("system", new FakeHeap());
        BundleContext context = camera.getBundleContext();
        HeapMonitor monitor = context.getService(context.getServiceReference(HeapMonitor.class));
        component.modified(config(Map.of("allocation_sites", true)), Map.of());
        DmaBuf open = brokerOf(camera).allocate(REQUEST);
        assertEquals("org.example.camera", monitor.buffers().getFirst().client());
        assertTrue(
                monitor.buffers().getFirst().site().stream()
                        .anyMatch(frame -> !frame.getClassName().startsWith("org.dmabuf.heap.broker.")),
                () -> monitor.buffers().getFirst().site().toString());
        remove(heap);
        assertEquals(
                List.of("adopted", "system"),
                monitor.heaps().stream().map(Charges::heap).toList(),
                "memory of it is out");
        assertEquals(4096, open.size());
        deactivate();
        assertNull(context.getServiceReference(HeapMonitor.class));
        assertEquals(List.of(), monitor.buffers());
    }

    @Test
    void published_buffers_are_found_by_a_filter() throws Exception {
        heap("system", new FakeHeap());
        for (String name : List.of("front", "rear")) {
            try (DmaBuf buffer = brokerOf(camera).allocate(REQUEST)) {
                brokerOf(camera).publish(buffer, name);
            }
        }
        Collection<ServiceReference<DmaBuf>> found =
                display.getBundleContext().getServiceReferences(DmaBuf.class, "(dmabuf.name=rear)");
        assertEquals(1, found.size());
        assertEquals("frame", display.getBundleContext().getService(found.iterator().next()).name());
    }
}
