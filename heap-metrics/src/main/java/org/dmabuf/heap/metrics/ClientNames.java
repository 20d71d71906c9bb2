// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Names of clients in the metrics: the first clients have their own, and the others share {@value #OTHER}. A client
 * keeps its name while it is listed, and one of the others never gets a name of its own meanwhile. So no counter falls.
 * For the same reason, counts of the others stay when such a client is gone, also if it is back before it is missed.
 * Any thread may call it.
 */
final class ClientNames {
    static final String OTHER = "other";

    private final int most;
    /** Guarded by this, as the other fields are. */
    private final Set<String> named = new HashSet<>();

    /** The last record of each of the others that is listed. */
    private final Map<String, UsageRecord> others = new HashMap<>();
    /** Counts of the others that are gone. */
    private UsageRecord gone = UsageRecord.builder().build();

    ClientNames(int most) {
        this.most = most;
    }

    /**
     * {@return the records by name, each the sum of the clients with that name}
     *
     * @param clients reads the records of all clients, while no other thread compares a later list
     */
    synchronized Map<String, UsageRecord> byName(Supplier<List<UsageRecord>> clients) {
        Map<String, UsageRecord> listed = new TreeMap<>();
        clients.get().forEach(record -> listed.merge(text(record), record, UsageSum::of));
        named.retainAll(listed.keySet());
        others.entrySet().removeIf(other -> {
            UsageRecord now = listed.get(other.getKey());
            boolean left = now == null || UsageSum.isBelow(now, other.getValue());
            if (left) {
                gone = UsageSum.ofCounts(gone, other.getValue());
            }
            return left;
        });
        Map<String, UsageRecord> byName = new TreeMap<>();
        listed.forEach((client, record) -> {
            String name = nameOf(client);
            if (name.equals(OTHER)) {
                others.put(client, record);
            }
            byName.merge(name, record, UsageSum::of);
        });
        if (gone.allocations() > 0 || !gone.failures().isEmpty() || byName.containsKey(OTHER)) {
            byName.merge(OTHER, gone, UsageSum::ofCounts);
        }
        return byName;
    }

    private String nameOf(String client) {
        if (named.contains(client)) {
            return client;
        }
        boolean free = named.size() < most && !others.containsKey(client) && !client.equals(OTHER);
        return free && named.add(client) ? client : OTHER;
    }

    /** {@return the name of a client that {@link #byName} has listed; another client counts as one of the others} */
    synchronized String name(UsageRecord record) {
        String client = text(record);
        return named.contains(client) ? client : OTHER;
    }

    private static String text(UsageRecord record) {
        return Printable.of(record.client().orElseThrow().toString());
    }
}
