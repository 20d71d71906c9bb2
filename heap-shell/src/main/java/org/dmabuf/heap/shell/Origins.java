// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;

/** Origins of clients outside the framework: the processes and containers that allocated their present buffers. */
final class Origins {
    private final Map<ClientId, Set<String>> byClient = new HashMap<>();

    Origins(List<BufferRecord> buffers) {
        for (BufferRecord buffer : buffers) {
            buffer.origin()
                    .ifPresent(origin -> byClient.computeIfAbsent(buffer.client(), _ -> new TreeSet<>())
                            .add(origin));
        }
    }

    /** {@return the origins of a client, in alphabetical order; empty for a bundle and for a client without buffers} */
    List<String> of(Optional<ClientId> client) {
        return List.copyOf(client.map(byClient::get).orElse(Set.of()));
    }
}
