// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Printable;

/** The configured quotas and permissions. Immutable. Of several entries that match a bundle the first counts. */
public final class Rules {
    /** The configuration that has the settings. */
    public static final String PID = "org.dmabuf.heap.broker";

    static final String QUOTA_HEAP = "quota.heap";
    static final String QUOTA_CLIENT = "quota.client";
    static final String QUOTA_CLIENT_ON_HEAP = "quota.client.on.heap";
    static final String ALLOW = "allow";

    /** Bytes at most where there is no quota. */
    public static final long UNLIMITED = Long.MAX_VALUE;

    public static final Rules NONE = new Rules(Map.of(), List.of(), List.of(), Map.of());

    /** A limit for the bundles whose symbolic name matches, on one heap or, where that is null, on all. */
    record ClientLimit(Pattern bundle, String heap, long bytes) {
        boolean applies(String client, String on) {
            return (heap == null ? on == null : heap.equals(on)) && bundle.matcher(client).matches();
        }
    }

    /** A pattern of bundles by symbolic name, by location, or by both. A null pattern matches any. */
    record BundleMatch(Pattern bundle, Pattern location) {
        boolean is(String name, String from) {
            return (bundle == null || bundle.matcher(name).matches())
                    && (location == null || location.matcher(from).matches());
        }
    }

    private final Map<String, Long> heaps;
    private final List<ClientLimit> clients;
    private final List<ClientLimit> shares;
    private final Map<String, List<BundleMatch>> allowed;

    /** Creates rules from the entries that {@link RulesParser} has read. */
    Rules(
            Map<String, Long> heaps,
            List<ClientLimit> clients,
            List<ClientLimit> shares,
            Map<String, List<BundleMatch>> allowed) {
        this.heaps = heaps;
        this.clients = clients;
        this.shares = shares;
        this.allowed = allowed;
    }

    /** {@return whether a quota is configured for a heap, which takes precedence over the one that it announces} */
    boolean limits(String heap) {
        return heaps.containsKey(heap);
    }

    /** {@return bytes that may be out of a heap} */
    long heapLimit(String heap) {
        return heaps.getOrDefault(heap, UNLIMITED);
    }

    /** {@return bytes that the bundles of a symbolic name may have out} */
    long limit(String bundle) {
        return limit(clients, bundle, null);
    }

    /** {@return bytes that the bundles of a symbolic name may have out of one heap} */
    long limit(String bundle, String heap) {
        return limit(shares, bundle, heap);
    }

    private static long limit(List<ClientLimit> limits, String bundle, String heap) {
        return limits.stream()
                .filter(limit -> limit.applies(bundle, heap))
                .mapToLong(ClientLimit::bytes)
                .findFirst()
                .orElse(UNLIMITED);
    }

    /**
     * Refuses a bundle that may not use a heap. A heap that no entry names is open to all, unless it is restricted.
     *
     * @param heap name
     * @param restricted whether it is closed to bundles that no entry names
     * @param bundle symbolic name
     * @param location where the bundle was installed from
     * @throws HeapException {@link Errno#EACCES} with the setting
     */
    public void requireAllowed(String heap, boolean restricted, String bundle, String location) {
        if (!restricted && allowed.isEmpty()) {
            return; // without a look-up, on the way of most allocations
        }
        List<BundleMatch> some = allowed.get(heap);
        boolean open = some == null ? !restricted : some.stream().anyMatch(match -> match.is(bundle, location));
        if (!open) {
            throw new HeapException(
                    Errno.EACCES,
                    heap,
                    "heap '" + heap + "': bundle " + Printable.of(bundle) + " at " + Printable.of(location)
                            + " may not use it; add " + heap + "=" + Printable.of(bundle) + " to " + ALLOW + " of "
                            + PID + " if it shall");
        }
    }
}
