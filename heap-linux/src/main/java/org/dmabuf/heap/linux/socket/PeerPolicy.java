// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;

/**
 * Rule of a heap for the peers to which its descriptors may go. It travels with the descriptor, so that no sender has
 * to think of it. A descriptor whose number was detached has left it behind: inside one process this stops mistakes,
 * and not malice.
 */
final class PeerPolicy {
    private final Object heap;
    private final Collection<?> users;

    private PeerPolicy(Object heap, Collection<?> users) {
        this.heap = heap;
        this.users = users;
    }

    /** {@return the rule of the heap that a descriptor is from; empty when that heap has none} */
    static Optional<PeerPolicy> of(OwnedFd descriptor) {
        Map<String, Object> properties = descriptor.heapProperties();
        Object users = properties.get(HeapProperties.PEERS);
        if (users == null) {
            return Optional.empty();
        }
        // Anything but a list is one value, which matches no user if it is no number: a rule that cannot be read must
        // not be left out. The broker has made arrays into lists.
        Collection<?> named = users instanceof Collection<?> list ? list : List.of(users);
        return Optional.of(new PeerPolicy(properties.getOrDefault(HeapProperties.NAME, ""), named));
    }

    /**
     * Lets a peer pass that the heap names.
     *
     * @param peer as the kernel has it
     * @throws HeapException {@link Errno#EACCES} for any other
     */
    void require(PeerCredentials peer) {
        if (!users.contains(peer.uid())) {
            throw new HeapException(
                    Errno.EACCES,
                    heap.toString(),
                    "heap '" + heap + "': " + peer + " may not have a descriptor of its memory; add "
                            + Integer.toUnsignedString(peer.uid()) + " to " + HeapProperties.PEERS
                            + " in the heap's configuration");
        }
    }
}
