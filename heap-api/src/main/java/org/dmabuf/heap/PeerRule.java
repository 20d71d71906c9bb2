// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Rule of a heap about the processes to which a descriptor of its memory may be sent, see {@link HeapProperties#PEERS}.
 * The {@link OwnedFd} carries the rule, so that senders check it automatically. It prevents mistakes of other bundles
 * in the process, but not malice. Immutable.
 */
public final class PeerRule {
    private final String heap;
    private final Set<Integer> users;

    private PeerRule(String heap, Set<Integer> users) {
        this.heap = heap;
        this.users = users;
    }

    /**
     * Reads the rule that a heap announces. An unreadable value permits no peer, because ignoring it would permit all.
     *
     * @param heap the heap's name
     * @param peers the value of {@link HeapProperties#PEERS}: Integer, array or collection of Integer, or null
     * @return the rule, empty for null
     */
    public static Optional<PeerRule> of(String heap, Object peers) {
        if (peers == null) {
            return Optional.empty();
        }
        Collection<?> listed = switch (peers) {
            case Collection<?> list -> list;
            case Object[] array -> Arrays.asList(array);
            case int[] array -> Arrays.stream(array).boxed().toList();
            default -> List.of(peers);
        };
        Set<Integer> users = new HashSet<>();
        for (Object user : listed) {
            if (user instanceof Integer uid) {
                users.add(uid);
            }
        }
        return Optional.of(new PeerRule(heap, Set.copyOf(users)));
    }

    /** {@return the heap's name} */
    public String heap() {
        return heap;
    }

    /** {@return user ids whose processes may receive a descriptor; empty when no process may} */
    public Set<Integer> users() {
        return users;
    }

    /**
     * Returns whether a descriptor may be sent to processes of a user.
     *
     * @param uid a user id, as an unsigned number
     * @return true when the rule contains it
     */
    public boolean permits(int uid) {
        return users.contains(uid);
    }

    @Override
    public String toString() {
        return "heap '" + heap + "' permits users " + users;
    }
}
