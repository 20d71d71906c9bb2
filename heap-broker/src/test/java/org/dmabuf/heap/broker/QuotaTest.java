// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.BundleEvent;

/** Tests of quotas. Every account is back at its first value when all buffers are released. */
class QuotaTest {
    private static final String NAME = "org.example.camera";
    /** Largest permitted size of a buffer. */
    private static final long LARGEST = Long.MAX_VALUE - 4096;

    private static final AllocationRequest PAGE = AllocationRequest.of(4096);

    private final BrokerParts broker = new BrokerParts();
    private final FakeBundle camera = new FakeBundle(NAME);
    private final FakeBundle display = new FakeBundle("org.example.display");

    @AfterEach
    void every_account_is_settled() {
        broker.clients.stopAll();
        broker.close();
        for (HeapAccount account : broker.ledger.heaps()) {
            assertEquals(0, account.bytes(), account.heap());
            assertEquals(0, account.buffers(), account.heap());
            assertEquals(List.of(), account.entries(), account.heap());
        }
        for (ClientAccount client : broker.ledger.clients()) {
            assertTrue(client.settled(), client.id().toString());
        }
    }

    private HeapBroker brokerOf(FakeBundle bundle) {
        return broker.clients.getService(bundle.bundle(), null);
    }

    private ClientAccount accountOf(FakeBundle bundle) {
        return broker.clients.of(bundle.bundle()).account();
    }

    private void rules(String heap, String client, String clientOnHeap) {
        rules(heap, client, clientOnHeap, "");
    }

    private void rules(String heap, String client, String clientOnHeap, String allow) {
        broker.ledger.apply(BrokerParts.rules(
                new String[] {heap}, new String[] {client}, new String[] {clientOnHeap}, new String[] {allow}));
    }

    private static HeapException refusal(HeapBroker by, AllocationRequest request) {
        return assertThrows(HeapException.class, () -> by.allocate(request));
    }

    @Test
    void a_heap_serves_up_to_its_quota_and_then_the_next_heap_is_asked() {
        FakeHeap small = new FakeHeap();
        broker.heap("small", small, Map.of(HeapProperties.PRIORITY, 1));
        broker.heap("large", new FakeHeap());
        rules("small=8K", "", "");
        HeapBroker own = brokerOf(camera);
        DmaBuf one = own.allocate(PAGE);
        DmaBuf two = own.allocate(PAGE);
        assertEquals("small", two.heapName());
        assertEquals("large", own.allocate(PAGE).heapName());
        assertEquals(2, small.asked().size(), "a heap that is over its quota is not called");
        HeapException refusal = refusal(own, PAGE.withHeaps("small"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(Optional.of("small"), refusal.heap());
        assertEquals(
                "heap 'small': 4 KiB for bundle " + NAME + " does not fit the heap's quota: 8 KiB of 8 KiB are used;"
                        + " close buffers, or raise quota.heap in org.dmabuf.heap.broker",
                refusal.getMessage());
        one.close();
        assertEquals("small", own.allocate(PAGE).heapName());
    }

    @Test
    void an_announced_quota_applies_if_none_is_configured() {
        FakeHeap carveout = new FakeHeap();
        RegisteredHeap heap = broker.heap("carveout", carveout, Map.of(HeapProperties.QUOTA, 8192L));
        HeapBroker own = brokerOf(camera);
        own.allocate(AllocationRequest.of(8192));
        assertEquals(
                "heap 'carveout': 4 KiB for bundle " + NAME + " does not fit the heap's quota: 8 KiB of 8 KiB are used;"
                        + " close buffers, or raise heap.quota where the heap is configured, or set quota.heap in"
                        + " org.dmabuf.heap.broker",
                refusal(own, PAGE).getMessage());

        rules("carveout=12K", "", "");
        own.allocate(PAGE);
        assertTrue(
                refusal(own, PAGE).getMessage().endsWith("or raise quota.heap in org.dmabuf.heap.broker"),
                "the configured quota takes precedence");
        rules("", "", "");
        assertEquals(Errno.ENOMEM, refusal(own, PAGE).errno());

        broker.registry.changed(
                heap.service(), () -> Map.of(HeapProperties.NAME, "carveout", HeapProperties.QUOTA, 16384L));
        own.allocate(PAGE);
        assertEquals(Errno.ENOMEM, refusal(own, PAGE).errno());
        broker.registry.changed(heap.service(), () -> Map.of(HeapProperties.NAME, "carveout"));
        own.allocate(PAGE);
        assertEquals(5, carveout.asked().size() + 1, "a heap that is over its quota is not called");
    }

    @Test
    void a_shadowed_heap_does_not_affect_the_quota_of_the_serving_one() {
        RegisteredHeap first = broker.heap("carveout", new FakeHeap(), Map.of(HeapProperties.QUOTA, 8192L));
        broker.heap("carveout", new FakeHeap(), Map.of(HeapProperties.QUOTA, 0L));
        HeapBroker own = brokerOf(camera);
        own.allocate(PAGE).close();
        broker.remove(first);
        assertEquals(Errno.ENOMEM, refusal(own, PAGE).errno(), "the second heap serves now, and its quota is 0");
    }

    @Test
    void a_bundles_quota_on_one_heap_limits_neither_other_heaps_nor_other_bundles() {
        broker.heap("one", new FakeHeap(), Map.of(HeapProperties.PRIORITY, 1));
        broker.heap("two", new FakeHeap());
        rules("", "", NAME + "/one=4K");
        HeapBroker own = brokerOf(camera);
        assertEquals("one", own.allocate(PAGE).heapName());
        assertEquals("two", own.allocate(PAGE).heapName());
        assertEquals("one", brokerOf(display).allocate(PAGE).heapName());
        assertEquals(
                "heap 'one': 4 KiB for bundle " + NAME + " does not fit that client's quota on this heap: 4 KiB of 4"
                        + " KiB are used; close buffers, or raise quota.client.on.heap in org.dmabuf.heap.broker",
                refusal(own, PAGE.withHeaps("one")).getMessage());
    }

    @Test
    void a_bundles_quota_on_all_heaps_ends_the_request() {
        broker.heap("one", new FakeHeap());
        FakeHeap two = new FakeHeap();
        broker.heap("two", two);
        rules("", "org.example.camera=6K", "");
        HeapBroker own = brokerOf(camera);
        own.allocate(PAGE.withHeaps("one"));
        HeapException refusal = refusal(own, PAGE.withHeaps("one", "two"));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(1, refusal.attempts().size());
        assertEquals(
                "heap 'one': 4 KiB for bundle " + NAME + " does not fit that client's quota on all heaps: 4 KiB of 6"
                        + " KiB are used; close buffers, or raise quota.client in org.dmabuf.heap.broker",
                refusal.getMessage());
        assertEquals(List.of(), two.asked());
        assertEquals(
                "two", own.allocate(AllocationRequest.of(2048).withHeaps("two")).heapName());
        brokerOf(display).allocate(PAGE);
    }

    @Test
    void a_size_above_every_sum_is_refused_without_an_overflow() {
        FakeHeap heap = new FakeHeap();
        broker.heap("system", heap);
        rules("system=8K", "*=9223372036854775807", "");
        HeapBroker own = brokerOf(camera);
        own.allocate(PAGE);
        assertEquals(
                Errno.ENOMEM,
                refusal(own, AllocationRequest.of(Long.MAX_VALUE - 65535)).errno());
        assertEquals(1, heap.asked().size());
        own.allocate(PAGE);
    }

    @Test
    void without_a_quota_the_sums_do_not_overflow_either() {
        broker.heap("boasts", new FakeHeap(request -> new FakeMemory(16) {
            @Override
            public long size() {
                return LARGEST;
            }
        }));
        HeapBroker own = brokerOf(camera);
        DmaBuf all = own.allocate(PAGE);
        HeapException refusal = refusal(own, PAGE);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains(" of 8 EiB are used"), refusal.getMessage());
        all.close();
        own.allocate(PAGE).close();
    }

    @Test
    void bytes_beyond_the_requested_size_are_charged_or_the_buffer_is_released() {
        FakeMemory[] last = new FakeMemory[1];
        broker.heap("rounds", new FakeHeap(request -> last[0] = new FakeMemory(4096)));
        rules("rounds=8K", "", "");
        HeapBroker own = brokerOf(camera);
        DmaBuf one = own.allocate(AllocationRequest.of(1));
        DmaBuf two = own.allocate(AllocationRequest.of(4096));
        rules("rounds=10K", "", "");
        assertEquals(
                "heap 'rounds': 4 KiB for bundle " + NAME + " does not fit the heap's quota: 8 KiB of 10 KiB are used;"
                        + " close buffers, or raise quota.heap in org.dmabuf.heap.broker",
                refusal(own, AllocationRequest.of(1)).getMessage().replace("8.0 KiB", "8 KiB"));
        assertEquals(List.of("release"), last[0].calls());
        one.close();
        two.close();
        own.allocate(AllocationRequest.of(1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"refuses", "throws", "null", "small", "no memory"})
    void a_reservation_is_returned_whatever_the_heap_does(String how) {
        broker.heap("vendor", new FakeHeap(request -> switch (how) {
            case "refuses" -> throw HeapException.of(Errno.EINVAL, "vendor", "no");
            case "throws" -> throw new StackOverflowError();
            case "null" -> null;
            case "small" -> new FakeMemory(1);
            default -> throw new OutOfMemoryError("made up");
        }));
        rules("vendor=4K", "*=4K", "*/vendor=4K");
        HeapBroker own = brokerOf(camera);
        for (int again = 0; again < 3; again++) { // a remaining reservation would turn this into ENOMEM
            Throwable thrown = assertThrows(Throwable.class, () -> own.allocate(PAGE));
            assertTrue(
                    !(thrown instanceof HeapException refusal) || refusal.errno() != Errno.ENOMEM, thrown.toString());
        }
        assertTrue(accountOf(camera).settled());
    }

    @Test
    void a_lowered_limit_keeps_existing_buffers_and_a_removed_limit_permits_new_ones() {
        broker.heap("system", new FakeHeap());
        HeapBroker own = brokerOf(camera);
        DmaBuf one = own.allocate(PAGE);
        own.allocate(PAGE);
        rules("", "", NAME + "/system=4K");
        assertEquals(Errno.ENOMEM, refusal(own, AllocationRequest.of(1)).errno());
        one.close();
        assertEquals(Errno.ENOMEM, refusal(own, AllocationRequest.of(1)).errno());
        assertEquals(4096, accountOf(camera).snapshot().liveBytes());
        rules("", "", "");
        own.allocate(PAGE);
        assertEquals(8192, accountOf(camera).snapshot().liveBytes());
    }

    @Test
    void rules_apply_to_heaps_and_bundles_that_arrive_later() {
        rules("system=4K", NAME + "=4K", "org.example.display/system=0");
        broker.heap("system", new FakeHeap());
        assertEquals(
                Errno.ENOMEM,
                refusal(brokerOf(display), AllocationRequest.of(1)).errno());
        brokerOf(camera).allocate(PAGE);
        broker.heap("other", new FakeHeap());
        assertEquals(
                Errno.ENOMEM, refusal(brokerOf(camera), PAGE.withHeaps("other")).errno());
        brokerOf(display).allocate(PAGE.withHeaps("other"));
    }

    @Test
    void neither_an_export_and_close_nor_a_restart_frees_a_quota() {
        broker.memfd("system");
        rules("", NAME + "=4K", "");
        HeapBroker own = brokerOf(camera);
        int kept;
        try (DmaBuf buffer = own.allocate(PAGE)) {
            kept = buffer.exportFd().detach(); // as a peer would hold it
        }
        OwnedFd peer = OwnedFd.of(kept, Syscalls.linux()::close);
        assertEquals(4096, accountOf(camera).snapshot().lingeringBytes());
        assertEquals(Errno.ENOMEM, refusal(own, PAGE).errno());
        ClientAccount before = accountOf(camera);
        camera.stop();
        broker.clients.bundleChanged(camera.event(BundleEvent.STOPPED));
        camera.start();
        assertSame(before, accountOf(camera));
        assertEquals(Errno.ENOMEM, refusal(brokerOf(camera), PAGE).errno());
        peer.close();
        Await.until("the peer has let go", () -> accountOf(camera).settled());
        brokerOf(camera).allocate(PAGE);
    }

    @Test
    void a_stopped_bundle_without_charges_is_forgotten() {
        broker.heap("system", new FakeHeap());
        brokerOf(display).allocate(PAGE);
        ClientAccount before = accountOf(display);
        display.stop();
        broker.clients.bundleChanged(display.event(BundleEvent.STOPPED));
        assertTrue(broker.ledger.clients().stream().noneMatch(account -> account == before));
        display.start();
        assertNotSame(before, accountOf(display));
    }

    @Test
    void duplicates_mappings_and_publications_are_not_charged_again() {
        broker.heap("system", new FakeHeap());
        rules("", "*=4K", "");
        DmaBuf buffer = brokerOf(camera).allocate(PAGE);
        DmaBuf duplicate = buffer.newReference();
        try (Arena arena = Arena.ofConfined()) {
            duplicate.map(Access.READ, arena);
            buffer.close();
            duplicate.close();
            assertEquals(4096, accountOf(camera).snapshot().liveBytes(), "a mapping holds the memory");
        }
        Await.until("it is uncharged", () -> accountOf(camera).settled());
    }

    @Test
    void the_adopting_client_is_charged_and_a_refused_descriptor_stays_the_callers() {
        broker.adoption.acceptUnsealed(true); // the heap exports read-write
        broker.memfd("system");
        rules("", "org.example.display=6K", "");
        try (DmaBuf buffer = brokerOf(camera).allocate(PAGE)) {
            DmaBuf adopted = brokerOf(display).adopt(buffer.exportFd(), "frame");
            assertEquals(4096, accountOf(display).snapshot().liveBytes());
            assertEquals(4096, accountOf(camera).snapshot().liveBytes());
            OwnedFd second = buffer.exportFd();
            HeapException refusal =
                    assertThrows(HeapException.class, () -> brokerOf(display).adopt(second, "frame"));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(Optional.of("adopted"), refusal.heap());
            assertTrue(second.fd() >= 0);
            adopted.close();
            brokerOf(display).adopt(second, "frame").close();
        }
    }

    @Test
    void a_missing_permission_ends_the_request_and_names_the_setting() {
        broker.heap("secure", new FakeHeap(), Map.of(HeapProperties.RESTRICTED, true, HeapProperties.PRIORITY, 1));
        FakeHeap system = new FakeHeap();
        broker.heap("system", system);
        HeapException refusal = refusal(brokerOf(camera), PAGE.withHeaps("secure", "system"));
        assertEquals(Errno.EACCES, refusal.errno());
        assertEquals(Optional.of("secure"), refusal.heap());
        assertEquals(
                "heap 'secure': bundle " + NAME + " at test:" + NAME + " may not use it; to permit it, add"
                        + " secure=" + NAME
                        + " to allow in org.dmabuf.heap.broker",
                refusal.getMessage());
        assertEquals(List.of(), system.asked());
        rules("", "", "", "secure=" + NAME);
        assertEquals("secure", brokerOf(camera).allocate(PAGE).heapName());
        assertEquals(Errno.EACCES, refusal(brokerOf(display), PAGE).errno());
    }

    @Test
    void failures_are_counted_by_cause_for_each_heap_and_bundle() {
        RegisteredHeap full = broker.heap("full", FakeHeap.refusing(Errno.ENOMEM, "full", "full"));
        RegisteredHeap torn = broker.heap("torn", new FakeHeap(request -> {
            throw new IllegalStateException("torn");
        }));
        broker.heap("system", new FakeHeap());
        HeapBroker own = brokerOf(camera);
        own.allocate(PAGE.withHeaps("full", "system"));
        assertEquals(Map.of(), accountOf(camera).failures().byCause(), "the request was served");
        refusal(own, PAGE.withHeaps("full"));
        refusal(own, PAGE.withHeaps("full", "torn"));
        refusal(own, PAGE.withHeaps("none"));
        assertEquals(Map.of(Errno.ENOMEM, 3L), full.account().failures().byCause());
        assertEquals(Map.of(Errno.EIO, 1L), torn.account().failures().byCause());
        assertEquals(
                Map.of(Errno.ENOMEM, 1L, Errno.EIO, 1L, Errno.ENODEV, 1L),
                accountOf(camera).failures().byCause());
    }

    @Test
    void the_account_of_a_heap_that_is_gone_is_in_no_list() {
        RegisteredHeap heap = broker.heap("system", new FakeHeap());
        DmaBuf buffer = brokerOf(camera).allocate(PAGE);
        broker.remove(heap);
        assertEquals(1, accountOf(camera).shares().size());
        buffer.close();
        broker.heap("other", new FakeHeap()); // any change of the registry removes unused accounts
        assertEquals(0, accountOf(camera).shares().size());
        assertEquals(
                List.of("adopted", "other"),
                broker.ledger.heaps().stream().map(HeapAccount::heap).sorted().toList());
    }

    /** However requests and changes of the limit interleave, charges stay within the limit and end at zero. */
    @Test
    void charges_never_exceed_the_quota() {
        AtomicLong out = new AtomicLong();
        AtomicLong most = new AtomicLong();
        RegisteredHeap heap = broker.heap("system", new FakeHeap(request -> {
            most.accumulateAndGet(out.addAndGet(request.size()), Math::max);
            return new FakeMemory(request.size()) {
                @Override
                public void release() {
                    out.addAndGet(-size());
                }
            };
        }));
        rules("system=300", "*=250", "*/system=200");
        Race.Part uses = round -> {
            List<DmaBuf> open = new ArrayList<>();
            HeapBroker own = brokerOf((round & 1) == 0 ? camera : display);
            for (int i = 0; i < 6; i++) {
                try {
                    open.add(own.allocate(AllocationRequest.of(64)));
                } catch (HeapException e) {
                    assertEquals(Errno.ENOMEM, e.errno());
                }
            }
            open.forEach(DmaBuf::close);
        };
        new Race()
                .with(uses)
                .with(uses)
                .with(uses)
                .after(round -> {
                    assertEquals(0, heap.account().bytes());
                    assertTrue(most.get() <= 192, () -> most.get() + " bytes were out");
                    assertTrue(accountOf(camera).settled() && accountOf(display).settled());
                })
                .run(3000);
    }

    @Test
    void rules_that_take_effect_during_a_bundles_first_use_of_a_heap_apply_to_it() throws Exception {
        Rules limited = BrokerParts.rules(new String[0], new String[0], new String[] {"*/system=200"}, new String[0]);
        AtomicReference<ClientAccount> client = new AtomicReference<>();
        HeapAccount account = new HeapAccount("system");
        new Race()
                .before(round -> client.set(new ClientAccount(BrokerParts.bundle("org.example.camera"))))
                .with(round -> client.get().in(account))
                .with(round -> client.get().apply(limited))
                .after(round ->
                        assertEquals(200, client.get().in(account).snapshot().limit()))
                .run(50_000);
    }
}
