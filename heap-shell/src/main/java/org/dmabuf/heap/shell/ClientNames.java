// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import org.dmabuf.heap.ClientId;

/**
 * Names of the clients in one listing, in the form that the broker's settings accept. If two clients share a name, the
 * location is added to both.
 */
final class ClientNames {
    private final Set<String> shared = new HashSet<>();

    /**
     * Finds names that several clients have.
     *
     * @param clients clients of the listing; a client may occur several times
     */
    ClientNames(Collection<ClientId> clients) {
        Set<String> seen = new HashSet<>();
        for (ClientId client : Set.copyOf(clients)) {
            if (!seen.add(client.toString())) {
                shared.add(client.toString());
            }
        }
    }

    /** {@return the name of a client in this listing} */
    String of(ClientId client) {
        String name = client.toString();
        return shared.contains(name)
                ? name + client.location().map(place -> "@" + place).orElse("")
                : name;
    }
}
