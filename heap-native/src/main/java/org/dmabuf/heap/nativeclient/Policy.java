// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Permissions of native clients. Each request reads the current policy, so a change affects open connections.
 * Immutable.
 *
 * @param heaps clients of each heap
 * @param heapsPlace the setting of these, with its file
 * @param published clients of each published buffer
 * @param publishedPlace the setting of these, with its file
 * @param agents users whose processes may name another client
 * @param agentsPlace the setting of these, with its file
 */
record Policy(
        Grants heaps,
        String heapsPlace,
        Grants published,
        String publishedPlace,
        Set<Integer> agents,
        String agentsPlace) {

    boolean isAgent(int user) {
        return agents.contains(user);
    }

    void requireAgent(PeerCredentials peer) {
        if (!isAgent(peer.uid())) {
            throw HeapException.of(
                    Errno.EACCES,
                    peer + " may not name another client; to permit it, add " + Integer.toUnsignedString(peer.uid())
                            + " to " + agentsPlace);
        }
    }

    /** Refuses a user that can use nothing and name no other client, so that its connections take no slots. */
    void requireKnown(int user, ClientId client) {
        if (!isAgent(user)
                && heaps.namesFor(client).isEmpty()
                && published.namesFor(client).isEmpty()) {
            throw noHeap(client);
        }
    }

    void requireHeap(String heap, ClientId client) {
        if (!heaps.permits(heap, client)) {
            throw HeapException.of(Errno.EACCES, heap, refusal(heap, client, "it", heapsPlace));
        }
    }

    void requirePublished(String name, ClientId client) {
        if (!published.permits(name, client)) {
            throw HeapException.of(
                    Errno.EACCES,
                    refusal(name, client, "the published buffer '" + Printable.of(name) + "'", publishedPlace));
        }
    }

    private static String refusal(String name, ClientId client, String what, String place) {
        return "client " + Printable.of(client.toString()) + " may not use " + what + "; to permit it, add "
                + Printable.of(name) + "=" + Printable.of(client.toString()) + " to " + place;
    }

    /**
     * Returns an OSGi filter that matches the heaps of a client, for a request that does not name heaps.
     *
     * @throws HeapException {@link Errno#EACCES} when the client may use no heap
     */
    String heapFilter(ClientId client) {
        List<String> names = heaps.namesFor(client);
        if (names.isEmpty()) {
            throw noHeap(client);
        }
        return names.stream()
                .map(name -> "(" + HeapProperties.NAME + "=" + escaped(name) + ")")
                .collect(Collectors.joining("", "(|", ")"));
    }

    private HeapException noHeap(ClientId client) {
        return HeapException.of(
                Errno.EACCES,
                "client " + Printable.of(client.toString()) + " may not use any heap; to permit one, add HEAP="
                        + Printable.of(client.toString()) + " to " + heapsPlace);
    }

    /** Escapes the characters of the filter syntax, except {@code *}, which has the same meaning there. */
    private static String escaped(String name) {
        return name.replaceAll("[\\\\()]", "\\\\$0");
    }
}
