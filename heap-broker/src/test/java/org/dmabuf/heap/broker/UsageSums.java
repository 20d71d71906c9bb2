// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import org.dmabuf.heap.broker.account.Charge;
import org.dmabuf.heap.broker.account.ClientAccount;
import org.dmabuf.heap.broker.account.ClientHeapAccount;
import org.dmabuf.heap.broker.account.HeapAccount;
import org.dmabuf.heap.broker.account.ReturnSignal;
import org.dmabuf.heap.broker.buffer.Client;
import org.dmabuf.heap.broker.buffer.LeakDetector;

/** Charges without buffers, for tests of code that reads the sums. */
public final class UsageSums {
    private static final Map<HeapAccount, Queue<Charge>> CHARGED = new HashMap<>();

    private UsageSums() {}

    /** Returns a client whose bundle has this symbolic name. */
    public static Client client(String bundle) {
        return new Client(new ClientAccount(BrokerParts.bundle(bundle)), new LeakDetector());
    }

    /** Returns the account on a heap for a client without any other. */
    public static ClientHeapAccount share(HeapAccount account) {
        return new ClientAccount(BrokerParts.bundle("org.example.camera")).in(account);
    }

    public static void charge(HeapAccount account, long size) {
        Charge charge = new Charge(share(account), "", 0, List.of(), new ReturnSignal());
        account.charge(charge, size, 0);
        CHARGED.computeIfAbsent(account, first -> new ArrayDeque<>()).add(charge);
    }

    /** Ends a charge of {@link #charge}. */
    public static void uncharge(HeapAccount account, long size) {
        account.uncharge(CHARGED.get(account).remove(), size, false);
    }
}
