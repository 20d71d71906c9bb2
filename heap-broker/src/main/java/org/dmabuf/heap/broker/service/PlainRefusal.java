// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.service;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.broker.heap.HeapDescription;
import org.dmabuf.heap.linux.text.Printable;

/** Reasons for which a heap that serves refuses plain requests of one client, see {@link HeapInfo#plainRefusal}. */
final class PlainRefusal {
    private final Rules rules;
    private final ClientId client;

    PlainRefusal(Rules rules, ClientId client) {
        this.rules = rules;
        this.client = client;
    }

    /** {@return a sentence with all reasons, empty without a reason} */
    Optional<String> of(HeapDescription heap) {
        List<String> reasons = new ArrayList<>();
        if (!heap.emulates().isEmpty()) {
            reasons.add("it serves only requests that permit emulation: withEmulations(\""
                    + String.join("\", \"", heap.emulates()) + "\")");
        }
        if (!rules.allows(heap.name(), heap.restricted(), client)) {
            reasons.add("it serves only clients that an allow entry of " + Rules.PID + " names; add " + heap.name()
                    + "=" + Printable.of(client.toString()));
        }
        return reasons.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", reasons));
    }
}
