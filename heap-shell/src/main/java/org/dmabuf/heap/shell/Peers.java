// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.socket.Accounts;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.PeerCredentials;

/**
 * The processes that may have a buffer. What the kernel says of the process at the other end decides; the mode of the
 * socket's file only lets it come.
 *
 * @param text for a sentence: {@code user root}
 * @param chosen whether the command line names them
 * @param user the only user, where there is one
 * @param includes whether a process is one of them
 * @param listening makes a socket to which they can connect
 */
record Peers(
        String text,
        boolean chosen,
        OptionalInt user,
        Predicate<PeerCredentials> includes,
        Function<Path, FdListener> listening) {
    static final Option TO = Option.valued("to", "USER", "to a process of this user, by name or number");
    static final Option TO_GROUP = Option.valued("to-group", "GROUP", "to a process of this group, by name or number");

    /**
     * Reads the options.
     *
     * @return processes of this process's own user when none is given
     * @throws IllegalArgumentException with a sentence
     */
    static Peers of(Line line, Accounts accounts) throws IOException {
        if (line.has(TO) && line.has(TO_GROUP)) {
            throw new IllegalArgumentException("give --to or --to-group, not both");
        }
        if (line.has(TO_GROUP)) {
            int group = accounts.groupOf(line.value(TO_GROUP).orElseThrow());
            return new Peers(
                    "group " + accounts.nameOfGroup(group),
                    true,
                    OptionalInt.empty(),
                    peer -> peer.gid() == group || peer.groups().contains(group),
                    path -> FdListener.bindForGroup(path, group));
        }
        int own = Accounts.ownUser();
        int user = line.has(TO) ? accounts.userOf(line.value(TO).orElseThrow()) : own;
        return new Peers(
                "user " + accounts.nameOfUser(user),
                line.has(TO),
                OptionalInt.of(user),
                peer -> peer.uid() == user,
                user == own ? FdListener::bind : FdListener::bindForAll);
    }

    /**
     * Only those of them that the heap of the memory permits, too.
     *
     * @param rule of the heap
     * @throws IllegalArgumentException when there can be no such process
     */
    Peers permittedBy(PeerRule rule) {
        if (user.isPresent() ? !rule.permits(user.getAsInt()) : rule.users().isEmpty()) {
            throw new IllegalArgumentException("heap '" + rule.heap() + "' lets no process of " + text
                    + " have a descriptor of its memory; add a user to heap.peers in the heap's configuration, and"
                    + " give that user with --to");
        }
        return new Peers(
                text, chosen, user, peer -> includes.test(peer) && rule.permits(peer.uid()), listening);
    }

    /**
     * All that the heap of the memory permits, for a command line that names none.
     *
     * @param rule of the heap
     * @throws IllegalArgumentException when there can be no such process
     */
    Peers namedBy(PeerRule rule) {
        String users = rule.users().stream()
                .map(Integer::toUnsignedString)
                .sorted()
                .collect(Collectors.joining(", "));
        Peers named = new Peers("the users of heap.peers: " + users, false, OptionalInt.empty(), _ -> true, listening);
        return named.permittedBy(rule);
    }
}
