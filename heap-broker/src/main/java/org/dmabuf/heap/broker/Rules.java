// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.Bytes;
import org.dmabuf.heap.linux.Printable;

/**
 * Quotas and permissions, as configured. Immutable.
 *
 * <p>Every setting is a text of entries between blanks, {@code WHO=VALUE}, because a file of File Install has no lists
 * and a heap's name may contain commas. Of several entries that match a bundle the first counts.
 */
final class Rules {
    static final String QUOTA_HEAP = "quota.heap";
    static final String QUOTA_CLIENT = "quota.client";
    static final String QUOTA_CLIENT_ON_HEAP = "quota.client.on.heap";
    static final String ALLOW = "allow";

    static final Rules NONE = new Rules(Map.of(), List.of(), List.of(), Map.of());

    /** An entry that cannot be understood; the message names it, its setting and what is right. */
    private static final class Wrong extends Exception {
        private static final long serialVersionUID = 1L;

        Wrong(String setting, String entry, String right) {
            super(setting + ": '" + entry + "' is none; write " + right);
        }
    }

    /** A limit for the bundles whose symbolic name matches, on one heap or on all, which is null. */
    private record ClientLimit(Pattern bundle, String heap, long bytes) {
        boolean applies(String client, String on) {
            return (heap == null ? on == null : heap.equals(on)) && bundle.matcher(client).matches();
        }
    }

    /** Bundles by symbolic name, by location, or by both; what is null does not matter. */
    private record Who(Pattern bundle, Pattern location) {
        boolean is(String name, String from) {
            return (bundle == null || bundle.matcher(name).matches())
                    && (location == null || location.matcher(from).matches());
        }
    }

    private final Map<String, Long> heaps;
    private final List<ClientLimit> clients;
    private final List<ClientLimit> shares;
    private final Map<String, List<Who>> allowed;

    private Rules(
            Map<String, Long> heaps,
            List<ClientLimit> clients,
            List<ClientLimit> shares,
            Map<String, List<Who>> allowed) {
        this.heaps = heaps;
        this.clients = clients;
        this.shares = shares;
        this.allowed = allowed;
    }

    /**
     * Reads the settings as far as they can be understood. A heap that an entry of {@code allow} seems to name is
     * closed, however the entry ends: a slip opens nothing.
     *
     * @param quotaHeap entries {@code HEAP=SIZE}
     * @param quotaClient entries {@code BUNDLE=SIZE}
     * @param quotaClientOnHeap entries {@code BUNDLE/HEAP=SIZE}
     * @param allow entries {@code HEAP=WHO}: a symbolic name, a location, which has a colon, or {@code NAME@LOCATION}
     * @param slips is told each entry that cannot be understood: a sentence with its setting and what is right
     * @return the rules
     */
    static Rules of(
            String[] quotaHeap,
            String[] quotaClient,
            String[] quotaClientOnHeap,
            String[] allow,
            Consumer<String> slips) {
        Map<String, Long> heaps = new HashMap<>();
        each(quotaHeap, slips, entry -> {
            String[] parts = split(QUOTA_HEAP, entry, entry.lastIndexOf('='), "HEAP=SIZE, for instance system=512M");
            if (heaps.putIfAbsent(parts[0], size(QUOTA_HEAP, entry, parts[1])) != null) {
                throw new Wrong(QUOTA_HEAP, entry, "one entry for each heap");
            }
        });
        List<ClientLimit> clients = new ArrayList<>();
        each(quotaClient, slips, entry -> {
            String[] parts = split(
                    QUOTA_CLIENT, entry, entry.lastIndexOf('='), "BUNDLE=SIZE, for instance org.example.camera=64M");
            if (parts[0].indexOf('/') >= 0) {
                throw new Wrong(QUOTA_CLIENT, entry, "a quota on one heap into " + QUOTA_CLIENT_ON_HEAP);
            }
            clients.add(new ClientLimit(glob(parts[0]), null, size(QUOTA_CLIENT, entry, parts[1])));
        });
        List<ClientLimit> shares = new ArrayList<>();
        each(quotaClientOnHeap, slips, entry -> {
            String right = "BUNDLE/HEAP=SIZE, for instance org.example.camera/system=64M";
            String[] parts = split(QUOTA_CLIENT_ON_HEAP, entry, entry.lastIndexOf('='), right);
            String[] who = split(QUOTA_CLIENT_ON_HEAP, entry, parts[0], parts[0].indexOf('/'), right);
            shares.add(new ClientLimit(glob(who[0]), who[1], size(QUOTA_CLIENT_ON_HEAP, entry, parts[1])));
        });
        Map<String, List<Who>> allowed = new HashMap<>();
        each(allow, slips, entry -> {
            int at = entry.indexOf('=');
            List<Who> some = allowed.computeIfAbsent(
                    at < 0 ? entry : entry.substring(0, at), heap -> new ArrayList<>());
            some.add(who(split(ALLOW, entry, at, "HEAP=BUNDLE, for instance secure=org.example.*")[1]));
        });
        return new Rules(heaps, clients, shares, allowed);
    }

    private interface Reading {
        void read(String entry) throws Wrong;
    }

    private static void each(String[] setting, Consumer<String> slips, Reading reading) {
        for (String entry : entries(setting)) {
            try {
                reading.read(entry);
            } catch (Wrong e) {
                slips.accept(e.getMessage());
            }
        }
    }

    private static List<String> entries(String[] setting) {
        return Arrays.stream(setting)
                .flatMap(text -> Stream.of(text.strip().split("\\s+")))
                .filter(entry -> !entry.isEmpty())
                .toList();
    }

    private static String[] split(String setting, String entry, int at, String right) throws Wrong {
        return split(setting, entry, entry, at, right);
    }

    private static String[] split(String setting, String entry, String part, int at, String right) throws Wrong {
        if (at <= 0 || at == part.length() - 1) {
            throw new Wrong(setting, entry, right);
        }
        return new String[] {part.substring(0, at), part.substring(at + 1)};
    }

    private static long size(String setting, String entry, String text) throws Wrong {
        try {
            return Bytes.parse(text);
        } catch (IllegalArgumentException e) {
            throw new Wrong(setting, entry, "a size in bytes, or with K, M, G or T behind the number");
        }
    }

    private static Who who(String text) {
        int at = text.indexOf('@');
        int colon = text.indexOf(':');
        if (at > 0 && (colon < 0 || at < colon)) {
            return new Who(glob(text.substring(0, at)), glob(text.substring(at + 1)));
        }
        return colon >= 0 ? new Who(null, glob(text)) : new Who(glob(text), null);
    }

    /** A text in which {@code *} stands for anything. */
    private static Pattern glob(String text) {
        return Pattern.compile(
                Arrays.stream(text.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")),
                Pattern.DOTALL);
    }

    /** {@return whether a heap has a quota here, which goes before one that it announces} */
    boolean limits(String heap) {
        return heaps.containsKey(heap);
    }

    /** {@return bytes that may be out of a heap} */
    long heapLimit(String heap) {
        return heaps.getOrDefault(heap, Tally.UNLIMITED);
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
                .orElse(Tally.UNLIMITED);
    }

    /**
     * Refuses a client that may not use a heap. One that no entry names is open to all, unless it is restricted.
     *
     * @param heap name
     * @param restricted whether it is closed to whom no entry names
     * @param client who asks
     * @throws HeapException {@link Errno#EACCES} with the setting
     */
    void requireAllowed(String heap, boolean restricted, Client client) {
        if (!restricted && allowed.isEmpty()) {
            return; // without a look-up, on the way of most allocations
        }
        List<Who> some = allowed.get(heap);
        boolean open = some == null
                ? !restricted
                : some.stream().anyMatch(who -> who.is(client.bundle(), client.location()));
        if (!open) {
            throw new HeapException(
                    Errno.EACCES,
                    heap,
                    "heap '" + heap + "': bundle " + Printable.of(client.bundle()) + " at "
                            + Printable.of(client.location()) + " may not use it; "
                            + "add " + heap + "=" + Printable.of(client.bundle()) + " to " + ALLOW + " of "
                            + BrokerComponent.PID + " if it shall");
        }
    }
}
