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
import org.junit.jupiter.api.Test;

class ClientAccountTest {
    private static final String[] NONE = {};

    private final ClientAccount client = new ClientAccount("org.example.camera");
    private final HeapAccount system = new HeapAccount("system");
    private final HeapAccount secure = new HeapAccount("secure");

    private void rules(String onAllHeaps, String onOneHeap) {
        client.apply(BrokerParts.rules(NONE, new String[] {onAllHeaps}, new String[] {onOneHeap}, NONE));
    }

    private static void charge(ClientHeapAccount share, long size) {
        share.account().charge(new Charge(share, 0, List.of()), size, 0);
    }

    @Test
    void what_does_not_fit_the_limit_is_told_and_not_counted() {
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
    void the_peak_counts_from_what_is_out_when_it_is_reset() {
        client.add(60);
        client.add(40);
        client.subtract(70);
        assertEquals(100, client.snapshot().peakBytes());
        client.resetPeak();
        assertEquals(30, client.snapshot().peakBytes());
        client.add(5);
        client.subtract(5);
        assertEquals(35, client.snapshot().peakBytes());
    }

    @Test
    void the_peaks_of_its_shares_are_reset_with_it() {
        ClientHeapAccount share = client.in(system);
        charge(share, 10);
        share.account().uncharge(chargeOf(share, 7), 7, false);
        client.resetPeak();
        assertEquals(10, share.snapshot().peakBytes());
        assertEquals(17, system.snapshot().peakBytes(), "the heap's own is another's");
    }

    private static Charge chargeOf(ClientHeapAccount share, long size) {
        Charge charge = new Charge(share, 0, List.of());
        share.account().charge(charge, size, 0);
        return charge;
    }

    @Test
    void a_heaps_account_has_one_share_of_it_until_it_is_forgotten() {
        ClientHeapAccount share = client.in(system);
        assertSame(share, client.in(system));
        assertNotSame(share, client.in(secure));
        client.forget(system);
        assertEquals(1, client.shares().size());
        assertNotSame(share, client.in(system));
    }

    @Test
    void rules_hold_for_shares_that_are_there_and_for_those_to_come() {
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
        charge(new ClientAccount("org.example.display").in(secure), 5);
        client.add(111);
        assertEquals(new UsageSnapshot(3, 111, 0, 0, 111, 1000), client.snapshot());
    }
}
