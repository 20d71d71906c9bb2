// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.FakeMemory;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.UsageSums;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Ledger;
import org.dmabuf.heap.broker.allocation.Allocator;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.OpenResource;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.release.Reaper;
import org.dmabuf.heap.linux.daemon.RecordedLog;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.BundleEvent;

/** Tests of a bundle's open resources, while it runs and after its stop. A fake replaces the framework. */
class ClientsTest {
    private static final AllocationRequest REQUEST = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle camera = new FakeBundle("org.example.camera");
    private final FakeBundle display = new FakeBundle("org.example.display");
    private final FakeHeap exporter = new FakeHeap();
    private final HeapAccount account = broker.heap("system", exporter).account();

    @AfterEach
    void stop() {
        broker.clients.stopAll();
        broker.close();
    }

    private HeapBroker brokerOf(FakeBundle bundle) {
        return broker.clients.getService(bundle.bundle(), null);
    }

    private void stopped(FakeBundle bundle) {
        bundle.stop();
        broker.clients.bundleChanged(bundle.event(BundleEvent.STOPPED));
    }

    @Test
    void each_bundle_has_one_broker_however_often_it_gets_and_ungets_it() {
        HeapBroker first = brokerOf(camera);
        DmaBuf buffer = first.allocate(REQUEST);
        broker.clients.ungetService(camera.bundle(), null, first);
        assertSame(first, brokerOf(camera));
        assertNotSame(first, brokerOf(display));
        assertSame(broker.clients.of(camera.bundle()), broker.clients.of(camera.bundle()));
        assertEquals(
                "org.example.camera", broker.clients.of(camera.bundle()).id().toString());
        assertEquals(1, account.buffers(), "an unget takes nothing back");
        assertDoesNotThrow(() -> buffer.beginCpuAccess(Access.READ).close());
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                BundleEvent.STARTED,
                BundleEvent.STARTING,
                BundleEvent.STOPPING,
                BundleEvent.RESOLVED,
                BundleEvent.UPDATED,
                BundleEvent.LAZY_ACTIVATION
            })
    void while_a_bundle_runs_nothing_is_taken_back(int event) {
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        broker.clients.bundleChanged(camera.event(event));
        broker.clients.bundleChanged(display.event(BundleEvent.STOPPED));
        assertEquals(1, account.buffers());
        assertDoesNotThrow(() -> buffer.newReference().close());
        assertEquals(1, brokerOf(camera).heaps().size());
    }

    @Test
    void open_resources_of_a_stopped_bundle_are_taken_back() {
        HeapBroker own = brokerOf(camera);
        DmaBuf buffer = own.allocate(REQUEST);
        FakeMemory memory = exporter.memory();
        DmaBuf duplicate = buffer.newReference();
        CpuAccess bracket = buffer.beginCpuAccess(Access.WRITE);
        own.allocate(REQUEST).close();
        RecordedLog.clear();
        stopped(camera);
        assertEquals(List.of("begin WRITE", "end WRITE", "release"), memory.calls());
        assertEquals(0, account.buffers());
        assertEquals(0, account.bytes());
        assertEquals(
                List.of("WARN bundle org.example.camera has stopped: took back 3 references, CPU accesses, descriptors"
                        + " and publications of bundle org.example.camera"),
                RecordedLog.lines());
        assertThrows(IllegalStateException.class, duplicate::newReference);
        bracket.close();
        buffer.close();
        duplicate.close();
        assertEquals(3, memory.calls().size());
    }

    @Test
    void no_warning_is_logged_for_a_bundle_that_leaves_nothing_open() {
        brokerOf(camera).allocate(REQUEST).close();
        RecordedLog.clear();
        stopped(camera);
        assertEquals(List.of(), RecordedLog.lines());
    }

    @Test
    void other_bundles_keep_their_resources() {
        DmaBuf theirs = brokerOf(display).allocate(REQUEST);
        brokerOf(camera).allocate(REQUEST);
        stopped(camera);
        assertEquals(1, account.buffers());
        theirs.newReference().close();
    }

    @Test
    void use_of_a_broker_after_its_bundle_has_stopped_is_refused_with_the_reason() {
        HeapBroker own = brokerOf(camera);
        DmaBuf buffer = own.allocate(REQUEST);
        stopped(camera);
        for (IllegalStateException refusal : List.of(
                assertThrows(IllegalStateException.class, () -> own.allocate(REQUEST)),
                assertThrows(IllegalStateException.class, own::heaps),
                assertThrows(IllegalStateException.class, () -> own.publish(buffer, "frame")))) {
            assertEquals(
                    "bundle org.example.camera has stopped: its buffers were taken back; get the service"
                            + " HeapBroker again, or open the view again",
                    refusal.getMessage());
        }
        assertEquals(1, exporter.asked().size());
    }

    @Test
    void a_bundle_that_starts_again_gets_another_broker() {
        HeapBroker old = brokerOf(camera);
        stopped(camera);
        camera.start();
        HeapBroker fresh = brokerOf(camera);
        assertNotSame(old, fresh);
        fresh.allocate(REQUEST).close();
        assertThrows(IllegalStateException.class, old::heaps);
    }

    @Test
    void a_bundle_that_restarts_before_the_event_arrives_keeps_its_new_broker() {
        // Felix fires STOPPED without the bundle's lock, so another thread may have started the bundle already.
        HeapBroker old = brokerOf(camera);
        DmaBuf left = old.allocate(REQUEST);
        camera.stop();
        camera.start();
        HeapBroker fresh = brokerOf(camera);
        DmaBuf buffer = fresh.allocate(REQUEST);
        broker.clients.bundleChanged(camera.event(BundleEvent.STOPPED));
        assertDoesNotThrow(() -> buffer.newReference().close());
        assertDoesNotThrow(fresh::heaps);
        assertThrows(IllegalStateException.class, old::heaps);
        assertThrows(IllegalStateException.class, left::newReference);
        assertEquals(1, account.buffers());
    }

    @Test
    void a_stop_without_an_event_is_noticed_at_the_next_event_of_any_bundle() {
        // Felix fires no STOPPED for a bundle whose activator throws from stop.
        HeapBroker own = brokerOf(camera);
        own.allocate(REQUEST);
        camera.stop();
        broker.clients.bundleChanged(display.event(BundleEvent.STARTED));
        assertEquals(0, account.buffers());
        assertThrows(IllegalStateException.class, own::heaps);
    }

    @Test
    void a_stop_without_an_event_is_noticed_when_the_framework_ungets_the_broker() {
        HeapBroker own = brokerOf(camera);
        own.allocate(REQUEST);
        broker.clients.ungetService(camera.bundle(), null, own);
        assertEquals(1, account.buffers());
        camera.stop();
        broker.clients.ungetService(camera.bundle(), null, own);
        assertEquals(0, account.buffers());
    }

    @Test
    void a_bundle_that_does_not_run_gets_no_broker() {
        // The bundle asked before it stopped, and the framework calls the broker after the event.
        stopped(camera);
        assertThrows(IllegalStateException.class, () -> brokerOf(camera));
        assertThrows(IllegalStateException.class, () -> broker.clients.of(camera.bundle()));
    }

    @Test
    void a_stopped_broker_has_taken_everything_back_from_all_clients() {
        HeapBroker one = brokerOf(camera);
        HeapBroker two = brokerOf(display);
        one.allocate(REQUEST);
        two.allocate(REQUEST);
        two.allocate(REQUEST);
        broker.clients.stopAll();
        broker.ledger.stop();
        assertEquals(0, account.buffers());
        for (HeapBroker stopped : List.of(one, two)) {
            assertEquals(
                    "the broker has stopped: its buffers were taken back; get the service"
                            + " HeapBroker again, or open the view again",
                    assertThrows(IllegalStateException.class, stopped::heaps).getMessage());
        }
    }

    @Test
    void a_stopped_broker_accepts_no_new_client() {
        broker.clients.stopAll();
        assertThrows(IllegalStateException.class, () -> brokerOf(camera));
        assertThrows(IllegalStateException.class, () -> broker.clients.of(display.bundle()));
    }

    @Test
    void a_resource_that_cannot_be_ended_does_not_keep_the_others_open() {
        // The class is gone with its bundle. An exporter's exception or a linkage error must not prevent the other
        // ends.
        for (Throwable thrown :
                List.of(new NoClassDefFoundError("org/example/Gone"), new IllegalStateException("torn"))) {
            FakeMemory memory = new FakeMemory(4096) {
                @Override
                public void endCpuAccess(Access access) {
                    super.endCpuAccess(access);
                    if (thrown instanceof Error error) {
                        throw error;
                    }
                    throw (RuntimeException) thrown;
                }
            };
            String heap = "vendor" + thrown.hashCode();
            HeapAccount vendor =
                    broker.heap(heap, new FakeHeap(request -> memory)).account();
            HeapBroker own = brokerOf(camera);
            DmaBuf buffer = own.allocate(REQUEST.withHeaps(heap));
            for (int i = 0; i < 20; i++) {
                buffer.beginCpuAccess(Access.READ);
                own.allocate(REQUEST.withHeaps("system"));
            }
            RecordedLog.clear();
            assertDoesNotThrow(() -> stopped(camera));
            assertEquals(20, memory.count("end READ"));
            assertTrue(memory.released());
            assertEquals(0, account.buffers());
            assertEquals(0, vendor.buffers());
            assertTrue(RecordedLog.lines().toString().contains("failed to end a CPU access that was left open"));
            camera.start();
        }
    }

    @Test
    void only_buffers_of_this_broker_are_published_and_only_with_a_name() {
        HeapBroker own = brokerOf(camera);
        DmaBuf buffer = own.allocate(REQUEST);
        DmaBuf foreign = FakeBundle.proxy(DmaBuf.class, (self, method, arguments) -> "a buffer from elsewhere");
        assertEquals(
                "invalid buffer = a buffer from elsewhere: expected one of this broker",
                assertThrows(IllegalArgumentException.class, () -> own.publish(foreign, "frame"))
                        .getMessage());
        for (String none : List.of("", " ")) {
            assertThrows(IllegalArgumentException.class, () -> own.publish(buffer, none));
        }
        assertThrows(IllegalArgumentException.class, () -> own.publish(buffer, "frame", Access.WRITE));
        buffer.close();
        assertEquals(0, account.buffers());
    }

    @Test
    void a_publication_that_the_framework_refuses_holds_nothing() {
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        assertThrows(UnsupportedOperationException.class, () -> brokerOf(camera).publish(buffer, "frame"));
        buffer.close();
        assertEquals(0, account.buffers());
    }

    @Test
    void a_closed_buffer_is_not_published() {
        DmaBuf buffer = brokerOf(camera).allocate(REQUEST);
        buffer.close();
        assertThrows(IllegalStateException.class, () -> brokerOf(camera).publish(buffer, "frame"));
        assertEquals(0, account.buffers());
    }

    @Test
    void an_allocation_under_way_when_the_bundle_stops_is_taken_back() throws InterruptedException {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        FakeMemory memory = new FakeMemory(4096);
        HeapAccount slow = broker.heap("slow", new FakeHeap(request -> {
                    inside.countDown();
                    try {
                        go.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    return memory;
                }))
                .account();
        HeapBroker own = brokerOf(camera);
        Throwable[] thrown = new Throwable[1];
        Thread allocates = Thread.ofPlatform().start(() -> {
            try {
                own.allocate(REQUEST.withHeaps("slow"));
            } catch (Throwable e) {
                thrown[0] = e;
            }
        });
        inside.await();
        stopped(camera);
        go.countDown();
        allocates.join();
        assertEquals(IllegalStateException.class, thrown[0].getClass());
        assertEquals(List.of("release"), memory.calls());
        assertEquals(0, slow.buffers());
    }

    /** A resource that a client opens during the stop of its bundle is either taken back or ended at once. */
    @Test
    void resources_opened_during_the_stop_of_the_bundle_are_not_left_open() {
        AtomicInteger made = new AtomicInteger();
        AtomicInteger begun = new AtomicInteger();
        HeapAccount race = broker.heap("race", new FakeHeap(request -> {
                    made.incrementAndGet();
                    return new FakeMemory(64) {
                        @Override
                        public void beginCpuAccess(Access access) {
                            begun.incrementAndGet();
                        }

                        @Override
                        public void endCpuAccess(Access access) {
                            begun.decrementAndGet();
                        }

                        @Override
                        public void release() {
                            made.decrementAndGet();
                        }
                    };
                }))
                .account();
        AllocationRequest request = AllocationRequest.of(64).withHeaps("race");
        HeapBroker[] own = new HeapBroker[1];
        AtomicInteger[] uses = new AtomicInteger[1];
        Race.Part opens = round -> {
            try {
                while (true) {
                    DmaBuf buffer = own[0].allocate(request);
                    buffer.newReference();
                    buffer.beginCpuAccess(Access.READ);
                    buffer.newReference().close();
                    uses[0].incrementAndGet();
                }
            } catch (IllegalStateException stopped) {
                assertTrue(stopped.getMessage().contains("stopped")
                        || stopped.getMessage().contains("closed"));
            }
        };
        new Race()
                .before(round -> {
                    camera.start();
                    own[0] = brokerOf(camera);
                    uses[0] = new AtomicInteger();
                })
                .with(opens)
                .with(opens)
                .with(round -> {
                    Race.awaitSome(uses[0]);
                    stopped(camera);
                })
                .after(round -> {
                    assertEquals(0, begun.get());
                    // The reaper releases references that the collector found lost, and not necessarily before the stop
                    // ends.
                    Await.until("all releases", () -> race.buffers() == 0);
                    assertEquals(0, made.get());
                    assertEquals(0, race.bytes());
                })
                .run(1000);
    }

    /** Bundles ask for their broker during its stop, and no bundle keeps one that works. */
    @Test
    void a_broker_service_got_during_the_stop_of_the_broker_has_stopped_too() {
        class Round {
            final Ledger ledger = new Ledger();
            final HeapRegistry registry = new HeapRegistry(ledger);
            final HeapAccount account = registry.arrived(1, new FakeHeap(), Map.of(HeapProperties.NAME, "system"), "b")
                    .account();
            final Clients clients = new Clients(new BrokerServices(
                    ledger,
                    new Allocator(registry, ledger, broker.services, broker.absent),
                    broker.adoption,
                    new HeapListing(registry, broker.absent),
                    broker.leaks,
                    new Descriptors(Syscalls.linux())));
            final AtomicInteger asked = new AtomicInteger();

            void ask(FakeBundle bundle) {
                try {
                    while (true) {
                        clients.getService(bundle.bundle(), null).allocate(AllocationRequest.of(64));
                        asked.incrementAndGet();
                    }
                } catch (IllegalStateException e) {
                    assertTrue(e.getMessage().startsWith("the broker has stopped"), e.getMessage());
                }
            }
        }
        Round[] now = new Round[1];
        FakeBundle late = new FakeBundle("org.example.late");
        new Race()
                .before(round -> now[0] = new Round())
                .with(round -> now[0].ask(camera))
                .with(round -> {
                    now[0].ask(display);
                    now[0].ask(late);
                })
                .with(round -> {
                    Race.awaitSome(now[0].asked);
                    now[0].clients.stopAll();
                })
                // The reaper releases references that the collector found lost, and not necessarily before the stop
                // ends.
                .after(round -> Await.until("all releases", () -> now[0].account.buffers() == 0))
                .run(1000);
    }

    @Test
    void a_stopped_client_keeps_no_resource() {
        Client client = UsageSums.client("org.example.camera");
        client.stop("bundle org.example.camera has stopped");
        Counted late = new Counted();
        assertThrows(IllegalStateException.class, () -> client.keep(late));
        assertEquals(1, late.reclaimed.get());
        assertEquals(0, client.stop("it has ended"));
    }

    @Test
    void a_resource_that_the_client_closed_is_not_kept() {
        Client client = UsageSums.client("org.example.camera");
        Counted forgotten = new Counted();
        assertSame(forgotten, client.keep(forgotten));
        client.forget(forgotten);
        assertEquals(0, client.stop("it has ended"));
        assertEquals(0, forgotten.reclaimed.get());
        assertFalse(client.id().toString().isEmpty());
    }

    @Test
    void a_resource_that_is_removed_twice_removes_no_other() {
        Client client = UsageSums.client("org.example.camera");
        List<Counted> all = Stream.generate(Counted::new).limit(5).toList();
        all.forEach(client::keep);
        for (int again = 0; again < 2; again++) {
            client.forget(all.get(2)); // between two others,
            client.forget(all.get(4)); // the last
            client.forget(all.get(0)); // and the first
        }
        assertEquals(2, client.stop("it has ended"));
        assertEquals(
                List.of(0, 1, 0, 1, 0),
                all.stream().map(one -> one.reclaimed.get()).toList());
        all.forEach(client::forget);
    }

    @Test
    void resources_of_any_thread_are_taken_back_and_any_thread_may_close_them() throws InterruptedException {
        Client client = UsageSums.client("org.example.camera");
        List<Counted> all = new CopyOnWriteArrayList<>();
        for (int i = 0; i < 20; i++) { // more threads than rings
            Thread.ofPlatform().start(() -> all.add(client.keep(new Counted()))).join();
        }
        client.forget(all.get(3));
        assertEquals(19, client.stop("it has ended"));
        assertEquals(19, all.stream().mapToInt(one -> one.reclaimed.get()).sum());
    }

    /** Resource that counts how often it is taken back. */
    private static final class Counted extends OpenResource {
        final AtomicInteger reclaimed = new AtomicInteger();

        @Override
        public void end() {
            reclaimed.incrementAndGet();
        }

        @Override
        public Reaper reclaim() {
            reclaimed.incrementAndGet();
            return null;
        }
    }
}
