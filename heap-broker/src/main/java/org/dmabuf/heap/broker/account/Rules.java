// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Printable;

/** Configured quotas and permissions. Immutable. If several entries match a client, the first one applies. */
public final class Rules {
    /** The configuration that has the settings. */
    public static final String PID = "org.dmabuf.heap.broker";

    static final String QUOTA_HEAP = "quota.heap";
    static final String QUOTA_CLIENT = "quota.client";
    static final String QUOTA_CLIENT_ON_HEAP = "quota.client.on.heap";
    static final String ALLOW = "allow";
    static final String VIEWS = "views.allow";

    /** The limit in bytes where no quota applies. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    public static final Rules NONE = new Rules(Map.of(), List.of(), List.of(), Map.of(), List.of());

    /** A limit for the matching clients: on one heap, or on all heaps together if the heap is null. */
    record ClientLimit(ClientMatch clients, String heap, long bytes) {
        boolean applies(ClientId client, String on) {
            return (heap == null ? on == null : heap.equals(on)) && clients.matches(client);
        }
    }

    /**
     * A pattern of clients: by name, by place, or by both. A null pattern matches everything. The place of a bundle is
     * its location. A client outside the framework has {@code KIND:NAME} both as its name and as its place.
     */
    record ClientMatch(Pattern name, Pattern place) {
        boolean matches(ClientId client) {
            return (name == null || name.matcher(client.toString()).matches())
                    && (place == null
                            || place.matcher(client.location().orElseGet(client::toString))
                                    .matches());
        }
    }

    private final Map<String, Long> heaps;
    private final List<ClientLimit> clients;
    private final List<ClientLimit> shares;
    private final Map<String, List<ClientMatch>> allowed;
    private final List<ClientMatch> views;

    /** Creates rules from the entries that {@link RulesParser} has read. */
    Rules(
            Map<String, Long> heaps,
            List<ClientLimit> clients,
            List<ClientLimit> shares,
            Map<String, List<ClientMatch>> allowed,
            List<ClientMatch> views) {
        this.heaps = heaps;
        this.clients = clients;
        this.shares = shares;
        this.allowed = allowed;
        this.views = views;
    }

    /** {@return whether a quota is configured for a heap, which takes precedence over the one that it announces} */
    boolean limits(String heap) {
        return heaps.containsKey(heap);
    }

    /** {@return the most bytes that may be charged to a heap} */
    long heapLimit(String heap) {
        return heaps.getOrDefault(heap, UNLIMITED);
    }

    /** {@return the most bytes that may be charged to a client} */
    long limit(ClientId client) {
        return limit(clients, client, null);
    }

    /** {@return the most bytes of one heap that may be charged to a client} */
    long limit(ClientId client, String heap) {
        return limit(shares, client, heap);
    }

    private static long limit(List<ClientLimit> limits, ClientId client, String heap) {
        return limits.stream()
                .filter(limit -> limit.applies(client, heap))
                .mapToLong(ClientLimit::bytes)
                .findFirst()
                .orElse(UNLIMITED);
    }

    /**
     * Refuses a client that may not use a heap. A heap without an entry is open to all clients, unless it is
     * restricted.
     *
     * @param heap name
     * @param restricted whether it is closed to clients without an entry
     * @param client the client
     * @throws HeapException {@link Errno#EACCES} with the setting
     */
    public void requireAllowed(String heap, boolean restricted, ClientId client) {
        if (!allows(heap, restricted, client)) {
            throw HeapException.of(
                    Errno.EACCES,
                    heap,
                    text(client) + " may not use it; to permit it, add " + heap + "=" + Printable.of(client.toString())
                            + " to " + ALLOW + " in " + PID);
        }
    }

    /**
     * {@return whether a client may use a heap}
     *
     * @param heap name
     * @param restricted whether it is closed to clients without an entry
     * @param client the client
     */
    public boolean allows(String heap, boolean restricted, ClientId client) {
        if (!restricted && allowed.isEmpty()) {
            return true; // avoids a look-up for most allocations
        }
        List<ClientMatch> some = allowed.get(heap);
        return some == null ? !restricted : some.stream().anyMatch(match -> match.matches(client));
    }

    /**
     * Refuses a client that may not open views for others.
     *
     * @param client the client that would open a view
     * @throws HeapException {@link Errno#EACCES} with the setting
     */
    public void requireViewsAllowed(ClientId client) {
        if (views.stream().noneMatch(match -> match.matches(client))) {
            throw HeapException.of(
                    Errno.EACCES,
                    text(client) + " may not open the broker for other clients; to permit it, add "
                            + Printable.of(client.toString()) + " to " + VIEWS + " in " + PID);
        }
    }

    /** {@return a client as messages name it: its kind, its name, and the location of a bundle} */
    static String text(ClientId client) {
        return client.isBundle()
                ? "bundle " + Printable.of(client.name()) + " at "
                        + Printable.of(client.location().orElseThrow())
                : "client " + Printable.of(client.toString());
    }
}
