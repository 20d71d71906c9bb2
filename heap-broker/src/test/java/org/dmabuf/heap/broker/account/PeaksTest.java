// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.Race;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tests of the peaks of several monitors over the same accounts. */
class PeaksTest {
    private final Ledger ledger = new Ledger();
    private final HeapAccount heap = ledger.open("system");
    private final ClientAccount client = ledger.enter(BrokerParts.bundle("org.example.camera"));
    private final Deque<Charge> charges = new ArrayDeque<>();

    @AfterEach
    void stop() {
        ledger.stop();
    }

    private void charge(long size) {
        Charge charge = ledger.charge(client, "", heap);
        assertEquals(Optional.empty(), charge.begin(new Sized(size)));
        charges.push(charge);
    }

    private void end() {
        charges.pop().end();
    }

    private List<Long> peaks(Peaks.Book book) {
        return List.of(
                book.of(heap).peakBytes(),
                book.of(client).peakBytes(),
                book.of(client.in(heap)).peakBytes());
    }

    @Test
    void a_reset_of_one_monitor_does_not_change_the_peaks_of_another() {
        Peaks.Book one = ledger.peaks().open();
        Peaks.Book two = ledger.peaks().open();
        charge(10);
        charge(90);
        end();
        one.reset(ledger);
        assertEquals(List.of(10L, 10L, 10L), peaks(one));
        assertEquals(List.of(100L, 100L, 100L), peaks(two));
        charge(20);
        end();
        assertEquals(List.of(30L, 30L, 30L), peaks(one));
        assertEquals(List.of(100L, 100L, 100L), peaks(two));
        two.reset(ledger);
        assertEquals(List.of(30L, 30L, 30L), peaks(one));
        assertEquals(List.of(10L, 10L, 10L), peaks(two));
        charge(200);
        assertEquals(List.of(210L, 210L, 210L), peaks(one));
        assertEquals(List.of(210L, 210L, 210L), peaks(two));
    }

    @Test
    void the_close_of_a_monitor_does_not_change_the_peaks_of_others() {
        Peaks.Book one = ledger.peaks().open();
        Peaks.Book two = ledger.peaks().open();
        charge(100);
        end();
        ledger.peaks().close(one);
        ledger.peaks().open().reset(ledger);
        assertEquals(List.of(100L, 100L, 100L), peaks(two));
    }

    @Test
    void a_peak_is_never_below_the_charge_while_monitors_reset_theirs() {
        Peaks.Book one = ledger.peaks().open();
        Peaks.Book two = ledger.peaks().open();
        new Race()
                .with(_ -> {
                    charge(100);
                    end();
                })
                .with(_ -> one.reset(ledger))
                .with(_ -> two.reset(ledger))
                .with(_ -> {
                    UsageSnapshot now = one.of(heap);
                    assertTrue(now.peakBytes() >= now.liveBytes(), now::toString);
                })
                .run(5000);
    }
}
