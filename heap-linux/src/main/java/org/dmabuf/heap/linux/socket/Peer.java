// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PeerRule;

/** The process at the other end of a connected socket, as the kernel reports it. Used by the socket's thread. */
final class Peer {
    private static final int ERANGE = 34;
    /** Space for the supplementary groups of most processes. */
    private static final long FEW_GROUPS = 64;
    /** NGROUPS_MAX */
    private static final long MOST_GROUPS = 65_536;

    private final SocketCalls sockets;
    private final GuardedSocket socket;
    /** The user id, which the kernel keeps from the time of the connection; empty before it was read. */
    private OptionalInt user = OptionalInt.empty();

    Peer(SocketCalls sockets, GuardedSocket socket) {
        this.sockets = sockets;
        this.socket = socket;
    }

    PeerCredentials credentials() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ucred = ucred(arena);
            return new PeerCredentials(
                    ucred.get(JAVA_INT, 0), ucred.get(JAVA_INT, 4), ucred.get(JAVA_INT, 8), groups(arena));
        }
    }

    /** {@return only the user id, which is needed for each message} */
    int user() {
        if (user.isEmpty()) {
            try (Arena arena = Arena.ofConfined()) {
                user = OptionalInt.of(ucred(arena).get(JAVA_INT, 4));
            }
        }
        return user.getAsInt();
    }

    /** Throws if the heap of a descriptor's memory restricts the users of peers, and this one is not among them. */
    void requirePermitted(OwnedFd descriptor) {
        descriptor.peers().ifPresent(this::requirePermitted);
    }

    private void requirePermitted(PeerRule rule) {
        PeerCredentials peer = credentials();
        if (!rule.permits(peer.uid())) {
            throw new FdSocketException(
                    Errno.EACCES,
                    "heap '" + rule.heap() + "': " + peer + " may not receive a descriptor of its memory; add "
                            + Integer.toUnsignedString(peer.uid()) + " to " + HeapProperties.PEERS
                            + " in the heap's configuration");
        }
    }

    private MemorySegment ucred(Arena arena) {
        MemorySegment ucred = arena.allocate(12, 4);
        FdSocket.require("getsockopt(SO_PEERCRED)", socket.call(fd -> sockets.peer(fd, ucred)), "");
        return ucred;
    }

    private Set<Integer> groups(Arena arena) {
        MemorySegment few = arena.allocate(4 * FEW_GROUPS, 4);
        long bytes = socket.call(fd -> sockets.peerGroups(fd, few));
        if (bytes != -ERANGE) {
            return groups(few, bytes);
        }
        MemorySegment all = arena.allocate(4 * MOST_GROUPS, 4);
        return groups(all, socket.call(fd -> sockets.peerGroups(fd, all)));
    }

    private static Set<Integer> groups(MemorySegment room, long bytes) {
        return bytes <= 0
                ? Set.of()
                : Arrays.stream(room.asSlice(0, bytes).toArray(JAVA_INT))
                        .boxed()
                        .collect(Collectors.toSet());
    }
}
