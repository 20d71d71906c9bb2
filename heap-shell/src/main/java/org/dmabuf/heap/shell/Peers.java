// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.UserDatabase;

/**
 * Set of processes that may receive a buffer. The kernel's credentials of the process at the other end decide. The
 * mode of the socket's file only permits it to connect.
 *
 * @param text description for a message, such as {@code user root}
 * @param chosen whether the command line names the processes
 * @param user number of the only permitted user, if there is only one
 * @param includes test whether a process belongs to the set
 * @param listening opens a socket to which the processes can connect
 */
record Peers(
        String text,
        boolean chosen,
        OptionalInt user,
        Predicate<PeerCredentials> includes,
        Function<Path, FdListener> listening) {
    static final Option TO = Option.valued("to", "USER", "receiver's user, by name or number");
    static final Option TO_GROUP = Option.valued("to-group", "GROUP", "receiver's group, by name or number");

    /**
     * Reads the options.
     *
     * @return the processes of this process's own user if no option is given
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    static Peers of(Line line, UserDatabase database) throws IOException {
        if (line.has(TO) && line.has(TO_GROUP)) {
            throw new IllegalArgumentException("give --to or --to-group, not both");
        }
        if (line.has(TO_GROUP)) {
            int group = database.groupOf(line.value(TO_GROUP).orElseThrow());
            return new Peers(
                    "group " + database.nameOfGroup(group),
                    true,
                    OptionalInt.empty(),
                    peer -> peer.gid() == group || peer.groups().contains(group),
                    path -> FdListener.bindForGroup(path, group));
        }
        int own = UserDatabase.ownUser();
        int user = line.has(TO) ? database.userOf(line.value(TO).orElseThrow()) : own;
        return new Peers(
                "user " + database.nameOfUser(user),
                line.has(TO),
                OptionalInt.of(user),
                peer -> peer.uid() == user,
                user == own ? FdListener::bind : FdListener::bindForAll);
    }

    /**
     * Returns the subset that the heap of the memory also permits.
     *
     * @param rule the heap's rule
     * @throws IllegalArgumentException if the subset is empty
     */
    Peers permittedBy(PeerRule rule) {
        if (user.isPresent() ? !rule.permits(user.getAsInt()) : rule.users().isEmpty()) {
            throw new IllegalArgumentException("heap '" + rule.heap() + "' permits no process of " + text
                    + " to receive its memory; add a user to heap.peers in the heap's configuration and"
                    + " name that user with --to");
        }
        return new Peers(text, chosen, user, peer -> includes.test(peer) && rule.permits(peer.uid()), listening);
    }

    /**
     * Returns all processes that the heap of the memory permits, for a command line that names none.
     *
     * @param rule the heap's rule
     * @throws IllegalArgumentException if the heap permits no process
     */
    Peers namedBy(PeerRule rule) {
        String users =
                rule.users().stream().map(Integer::toUnsignedString).sorted().collect(Collectors.joining(", "));
        Peers named = new Peers("the users of heap.peers: " + users, false, OptionalInt.empty(), _ -> true, listening);
        return named.permittedBy(rule);
    }
}
