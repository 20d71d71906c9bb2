// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.ClientView;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.HeapShortageException;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.FakeBundle;
import org.dmabuf.heap.broker.FakeHeap;
import org.dmabuf.heap.broker.Race;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.buffer.OpenResource;
import org.dmabuf.heap.broker.release.Reaper;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tests of the broker that a bundle opens for clients outside the framework. */
class ForeignViewTest {
    private static final AllocationRequest PAGE = AllocationRequest.of(4096);
    private static final ClientId USER = ClientId.of("uid", "1000");
    private static final String[] NONE = {};

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle gateway = new FakeBundle("org.example.gateway").registering();
    private final FakeBundle camera = new FakeBundle("org.example.camera");
    private final FakeHeap exporter = new FakeHeap();
    private final HeapAccount account = broker.heap("system", exporter).account();

    @BeforeEach
    void allow() {
        broker.ledger.apply(BrokerParts.rules(NONE, NONE, NONE, NONE, "org.example.gateway"));
    }

    @AfterEach
    void nothing_is_left() {
        broker.clients.stopAll();
        broker.close();
        Await.until("all buffers are back", () -> account.buffers() == 0);
        assertEquals(
                List.of(broker.client.id()),
                broker.ledger.clients().stream().map(client -> client.id()).toList());
    }

    private HeapBroker brokerOf(FakeBundle bundle) {
        return broker.clients.getService(bundle.bundle(), null);
    }

    private void stopped(FakeBundle bundle) {
        bundle.stop();
        broker.clients.bundleChanged(null);
    }

    private boolean isKnown(ClientId id) {
        return broker.ledger.clients().stream().anyMatch(client -> client.id().equals(id));
    }

    @Test
    void only_a_bundle_that_the_setting_names_opens_a_view() {
        HeapException refusal =
                assertThrows(HeapRefusedException.class, () -> brokerOf(camera).openView(USER));
        assertEquals(Errno.EACCES, refusal.errno());
        brokerOf(gateway).openView(USER).close();
        assertEquals(
                "invalid client = org.example.camera: expected a client of another kind than bundle",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> brokerOf(gateway).openView(BrokerParts.bundle("org.example.camera")))
                        .getMessage());
    }

    @Test
    void allocations_are_charged_to_the_views_client_and_the_heap_gets_its_id() {
        try (ClientView view = brokerOf(gateway).openView(USER)) {
            assertEquals(USER, view.client());
            view.allocate(PAGE, 2);
            assertEquals(Optional.of(USER), exporter.asked().getFirst().client());
            assertEquals(USER, broker.monitor().buffers().getFirst().client());
            assertEquals(2, account.buffers());
            assertTrue(isKnown(USER));
        }
        assertEquals(0, account.buffers());
    }

    @Test
    void quotas_and_permissions_for_the_client_apply() {
        broker.ledger.apply(BrokerParts.rules(
                NONE, new String[] {"uid:*=4K"}, NONE, new String[] {"system=uid:1000"}, "org.example.gateway"));
        HeapBroker own = brokerOf(gateway);
        try (ClientView view = own.openView(USER);
                ClientView again = own.openView(USER);
                ClientView other = own.openView(ClientId.of("uid", "7"))) {
            assertNotSame(view, again);
            view.allocate(PAGE);
            assertThrows(HeapShortageException.class, () -> again.allocate(PAGE));
            assertEquals(
                    Errno.EACCES,
                    assertThrows(HeapException.class, () -> other.allocate(PAGE))
                            .errno());
            assertEquals(
                    Errno.EACCES,
                    assertThrows(HeapException.class, () -> own.allocate(PAGE)).errno());
        }
    }

    @Test
    void a_close_takes_everything_back_and_ends_only_this_view() {
        HeapBroker own = brokerOf(gateway);
        DmaBuf theirs = own.allocate(PAGE);
        ClientView view = own.openView(USER);
        DmaBuf buffer = view.allocate(PAGE);
        CpuAccess access = buffer.beginCpuAccess(Access.READ);
        PublishedBuffer published = FakeBundle.published(view.publish(buffer, "front"), camera);
        view.close();
        view.close();
        assertEquals(1, account.buffers());
        for (IllegalStateException refusal : List.of(
                assertThrows(IllegalStateException.class, () -> view.allocate(PAGE)),
                assertThrows(IllegalStateException.class, () -> view.allocate(PAGE, 2)),
                assertThrows(IllegalStateException.class, () -> view.own(7)),
                assertThrows(IllegalStateException.class, () -> view.publish(theirs, "front")),
                assertThrows(IllegalStateException.class, () -> view.openView(USER)),
                assertThrows(IllegalStateException.class, view::heaps))) {
            assertTrue(refusal.getMessage().startsWith("the view for uid:1000 is closed: "), refusal.getMessage());
        }
        assertThrows(IllegalStateException.class, buffer::newReference);
        assertThrows(IllegalStateException.class, published::open);
        access.close();
        theirs.close();
    }

    @Test
    void references_that_another_client_opened_stay() {
        ClientView view = brokerOf(gateway).openView(USER);
        DmaBuf buffer = view.allocate(PAGE);
        brokerOf(camera);
        DmaBuf open =
                FakeBundle.published(view.publish(buffer, "front"), camera).open();
        view.close();
        open.newReference().close();
        assertEquals(1, account.buffers());
        assertTrue(isKnown(USER), "it is charged for what it allocated");
        open.close();
    }

    @Test
    void the_stop_of_the_opening_bundle_takes_back_the_view_and_its_nested_views() {
        broker.ledger.apply(BrokerParts.rules(NONE, NONE, NONE, NONE, "org.example.gateway", "uid:1000"));
        ClientView view = brokerOf(gateway).openView(USER);
        ClientView inner = view.openView(ClientId.of("container", "a"));
        view.allocate(PAGE);
        inner.allocate(PAGE);
        stopped(gateway);
        Await.until("all buffers are back", () -> account.buffers() == 0);
        assertThrows(IllegalStateException.class, () -> view.allocate(PAGE));
        assertThrows(IllegalStateException.class, () -> inner.allocate(PAGE));
        view.close();
        inner.close();
    }

    @Test
    void the_stop_of_the_broker_takes_the_view_back() {
        ClientView view = brokerOf(gateway).openView(USER);
        view.allocate(PAGE);
        broker.clients.stopAll();
        Await.until("all buffers are back", () -> account.buffers() == 0);
        assertThrows(IllegalStateException.class, view::heaps);
    }

    @Test
    void a_client_without_views_and_charges_is_forgotten() {
        HeapBroker own = brokerOf(gateway);
        ClientView one = own.openView(USER);
        ClientView two = own.openView(USER);
        one.close();
        assertTrue(isKnown(USER));
        two.close();
        assertTrue(!isKnown(USER));
    }

    @Test
    void a_view_that_cannot_be_taken_back_delays_no_other_and_is_tried_again() {
        HeapBroker own = brokerOf(gateway);
        boolean[] fails = {true};
        for (int i = 0; i < 8; i++) {
            ClientView view = own.openView(ClientId.of("uid", Integer.toString(i)));
            view.allocate(PAGE);
            if (i % 2 == 0) {
                ((ClientBroker) view).owner().keep(new OpenResource() {
                    @Override
                    public void end() {}

                    @Override
                    public Reaper reclaim() {
                        if (fails[0]) {
                            throw new OutOfMemoryError("made up");
                        }
                        return null;
                    }
                });
            }
        }
        ((ClientBroker) own).owner().keep(new OpenResource() {
            @Override
            public void end() {}

            @Override
            public Reaper reclaim() {
                if (fails[0]) {
                    throw new OutOfMemoryError("made up");
                }
                return null;
            }
        });
        stopped(gateway);
        Await.until("the buffers are back", () -> account.buffers() == 0);
        fails[0] = false;
        broker.clients.bundleChanged(null);
    }

    @Test
    void a_view_that_is_opened_during_the_stop_of_the_bundle_is_closed_or_refused() {
        FakeBundle[] now = new FakeBundle[1];
        HeapBroker[] own = new HeapBroker[1];
        AtomicInteger opened = new AtomicInteger();
        new Race()
                .before(_ -> {
                    now[0] = new FakeBundle("org.example.gateway");
                    own[0] = brokerOf(now[0]);
                })
                .with(_ -> {
                    try {
                        while (true) {
                            own[0].openView(USER).allocate(PAGE);
                            opened.incrementAndGet();
                        }
                    } catch (IllegalStateException e) {
                        opened.addAndGet(1 << 20); // the bundle has stopped
                    }
                })
                .with(_ -> {
                    Race.awaitSome(opened);
                    stopped(now[0]);
                })
                .after(round -> {
                    Await.until("all buffers are back", () -> account.buffers() == 0);
                    assertTrue(!isKnown(USER), "round " + round);
                    opened.set(0);
                })
                .run(500);
    }

    @Test
    void a_view_that_two_threads_close_leaves_its_account_once() {
        HeapBroker own = brokerOf(gateway);
        ClientView kept = own.openView(USER);
        ClientView[] now = new ClientView[1];
        new Race()
                .before(_ -> {
                    now[0] = own.openView(USER);
                    now[0].allocate(PAGE);
                })
                .with(_ -> now[0].close())
                .with(_ -> now[0].close())
                .after(_ -> assertTrue(isKnown(USER)))
                .run(500);
        kept.allocate(PAGE).close();
    }
}
