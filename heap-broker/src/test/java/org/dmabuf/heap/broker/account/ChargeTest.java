// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.broker.Await;
import org.dmabuf.heap.broker.BrokerParts;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ChargeTest {
    private final Ledger ledger = new Ledger();
    private final HeapAccount heap = ledger.open("system");
    private final ClientAccount client = ledger.enter(BrokerParts.bundle("org.example.camera"));

    @AfterEach
    void stop() {
        ledger.stop();
    }

    private Charge charge(long size) {
        Charge charge = ledger.charge(client, "", heap);
        assertEquals(Optional.empty(), charge.begin(new Sized(size)));
        return charge;
    }

    private List<Long> sizes() {
        return heap.entries().stream().map(Charge.Entry::size).toList();
    }

    @Test
    void charges_are_listed_oldest_first_whichever_of_them_ends() {
        List<Charge> charges = new ArrayList<>();
        for (long size = 1; size <= 6; size++) {
            charges.add(charge(size));
        }
        assertEquals(List.of(1L, 2L, 3L, 4L, 5L, 6L), sizes());
        charges.get(2).end();
        assertEquals(List.of(1L, 2L, 4L, 5L, 6L), sizes());
        charges.get(0).end();
        assertEquals(List.of(2L, 4L, 5L, 6L), sizes());
        charges.get(5).end();
        assertEquals(List.of(2L, 4L, 5L), sizes());
        charge(7);
        assertEquals(List.of(2L, 4L, 5L, 7L), sizes());
    }

    /** A client may keep a closed reference, and with it the ended charge. */
    @Test
    void an_ended_charge_keeps_no_charge_of_another_buffer() {
        Charge kept = charge(1);
        WeakReference<Charge> other = new WeakReference<>(charge(2));
        kept.end();
        end(other);
        Await.untilCollected("the other charge", () -> other.get() == null);
        Reference.reachabilityFence(kept);
    }

    private static void end(WeakReference<Charge> charge) {
        charge.get().end();
    }
}
