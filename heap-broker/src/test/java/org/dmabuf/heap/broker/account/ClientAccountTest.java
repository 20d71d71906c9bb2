// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.Race;
import org.junit.jupiter.api.Test;

class ClientAccountTest {
    private static final String[] NONE = {};

    private final ClientAccount client = new ClientAccount(BrokerParts.bundle("org.example.camera"));
    private final HeapAccount system = new HeapAccount("system");
    private final HeapAccount secure = new HeapAccount("secure");

    private void rules(String onAllHeaps, String onOneHeap) {
        client.apply(BrokerParts.rules(NONE, new String[] {onAllHeaps}, new String[] {onOneHeap}, NONE));
    }

    private static void charge(ClientHeapAccount share, long size) {
        share.account().charge(new Charge(share, "", 0, List.of(), new ReturnSignal()), size, 0);
    }

    @Test
    void a_charge_above_the_limit_is_refused_and_not_counted() {
        rules("*=100", "");
        assertTrue(client.limited());
        assertEquals(Optional.empty(), client.add(60));
        QuotaExceeded over = client.add(41).orElseThrow();
        assertEquals(60, over.used());
        assertEquals(100, over.limit());
        assertTrue(over.everywhere());
        assertEquals(Optional.empty(), client.add(40));
        client.subtract(100);
        assertTrue(client.settled());
        assertEquals(Optional.empty(), client.add(100));
        assertFalse(client.settled());
    }

    @Test
    void without_a_limit_the_sum_does_not_overflow() {
        assertFalse(client.limited());
        assertEquals(Optional.empty(), client.add(Long.MAX_VALUE));
        assertTrue(client.add(1).isPresent());
    }

    @Test
    void a_reset_peak_begins_at_the_present_charge() {
        client.add(60);
        client.add(40);
        client.subtract(70);
        assertEquals(100, client.snapshot().peakBytes());
        assertEquals(100, client.restartPeak());
        assertEquals(30, client.snapshot().peakBytes());
        client.add(5);
        client.subtract(5);
        assertEquals(35, client.snapshot().peakBytes());
    }

    @Test
    void a_peak_that_is_reset_while_bytes_are_added_is_never_below_them() {
        ClientAccount[] now = new ClientAccount[1];
        new Race()
                .before(round -> now[0] = new ClientAccount(BrokerParts.bundle("org.example.camera")))
                .with(round -> now[0].add(100))
                .with(round -> now[0].restartPeak())
                .after(round -> assertEquals(100, now[0].snapshot().peakBytes(), "round " + round))
                .run(20_000);
    }

    @Test
    void a_heaps_account_has_one_share_for_the_client_until_it_is_forgotten() {
        ClientHeapAccount share = client.in(system);
        assertSame(share, client.in(system));
        assertNotSame(share, client.in(secure));
        client.forget(system);
        assertEquals(1, client.shares().size());
        assertNotSame(share, client.in(system));
    }

    @Test
    void allocations_from_a_forgotten_heap_stay_counted() {
        Charge charge = new Charge(client.in(system), "", 0, List.of(), new ReturnSignal());
        system.charge(charge, 10, 0);
        system.uncharge(charge, 10, false);
        client.forget(system);
        charge(client.in(system), 1);
        assertEquals(2, client.snapshot().allocations());
        assertEquals(11, client.snapshot().allocatedBytes());
    }

    @Test
    void rules_apply_to_existing_and_future_shares() {
        client.in(system);
        rules("", "*/system=10 */secure=20");
        assertEquals(10, client.in(system).snapshot().limit());
        assertEquals(20, client.in(secure).snapshot().limit());
        rules("", "*/secure=30");
        assertEquals(Rules.UNLIMITED, client.in(system).snapshot().limit());
        assertEquals(30, client.in(secure).snapshot().limit());
    }

    @Test
    void the_figures_are_sums_over_all_heaps() {
        rules("*=1000", "");
        charge(client.in(system), 1);
        charge(client.in(secure), 10);
        charge(client.in(secure), 100);
        charge(new ClientAccount(BrokerParts.bundle("org.example.display")).in(secure), 5);
        client.add(111);
        assertEquals(new UsageSnapshot(3, 111, 0, 0, 111, 1000, 3, 111), client.snapshot());
    }
}
