// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.broker.BrokerParts;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LedgerTest {
    private static final String[] NONE = {};
    private static final ClientId CAMERA = BrokerParts.bundle("org.example.camera");

    private final Ledger ledger = new Ledger();

    @AfterEach
    void stop() {
        ledger.stop();
    }

    private List<String> clients() {
        return ledger.clients().stream().map(account -> account.id().toString()).toList();
    }

    @Test
    void bundles_with_one_name_share_an_account_while_one_of_them_runs() {
        ClientAccount account = ledger.enter(CAMERA);
        assertSame(account, ledger.enter(CAMERA));
        ledger.leave(account);
        assertSame(account, ledger.enter(CAMERA));
        ledger.leave(account);
        ledger.leave(account);
        assertEquals(List.of(), clients());
        assertNotSame(account, ledger.enter(CAMERA));
    }

    @Test
    void a_restarted_bundle_has_its_previous_charges() {
        ClientAccount account = ledger.enter(CAMERA);
        assertEquals(Optional.empty(), account.add(4096));
        ledger.leave(account);
        assertEquals(List.of("org.example.camera"), clients());
        assertSame(account, ledger.enter(CAMERA));
        ledger.leave(account);
        account.subtract(4096);
        assertEquals(List.of(), clients());
    }

    @Test
    void clients_are_listed_by_name() {
        for (String bundle : List.of("c", "a", "b")) {
            ledger.enter(BrokerParts.bundle(bundle));
        }
        assertEquals(List.of("a", "b", "c"), clients());
    }

    @Test
    void rules_apply_to_existing_and_future_accounts() {
        HeapAccount before = ledger.open("system");
        ClientAccount camera = ledger.enter(CAMERA);
        ledger.apply(BrokerParts.rules(new String[] {"system=8K"}, new String[] {"*=4K"}, NONE, NONE));
        assertEquals(8192, before.snapshot().limit());
        assertEquals(4096, camera.snapshot().limit());
        assertEquals(8192, ledger.open("system").snapshot().limit());
        assertEquals(
                4096,
                ledger.enter(BrokerParts.bundle("org.example.display"))
                        .snapshot()
                        .limit());
        ledger.announced(before, 1);
        assertEquals(8192, before.snapshot().limit(), "the configured quota takes precedence");
        ledger.apply(Rules.NONE);
        assertEquals(1, before.snapshot().limit());
    }

    @Test
    void an_account_that_is_closed_is_forgotten_by_clients_too() {
        HeapAccount account = ledger.open("system");
        ClientAccount camera = ledger.enter(CAMERA);
        camera.in(account);
        assertEquals(List.of(account), ledger.heaps());
        ledger.close(account);
        assertEquals(List.of(), ledger.heaps());
        assertEquals(0, camera.shares().size());
    }

    @Test
    void allocation_sites_are_kept_while_enabled_and_begin_outside_the_broker() {
        HeapAccount account = ledger.open("system");
        Client camera = new Client(ledger.enter(CAMERA), new LeakDetector());
        assertEquals(List.of(), ledger.charge(camera.account(), "", account).site());
        ledger.keepSites(true);
        List<StackTraceElement> site =
                ledger.charge(camera.account(), "", account).site();
        assertFalse(site.isEmpty());
        assertFalse(site.getFirst().getClassName().startsWith("org.dmabuf.heap.broker."), site::toString);
        ledger.keepSites(false);
        assertEquals(List.of(), ledger.charge(camera.account(), "", account).site());
    }
}
