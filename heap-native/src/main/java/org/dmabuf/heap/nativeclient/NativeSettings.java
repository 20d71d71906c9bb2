// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.Settings;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.UserDatabase;

/**
 * Checked configuration of the socket. Immutable.
 *
 * @param place where programs connect
 * @param policy permissions of the clients
 * @param limits numbers of connections
 */
record NativeSettings(Place place, Policy policy, Limits limits) {
    /**
     * Path of the socket and the processes that may connect. A change of it needs a new socket.
     *
     * @param path absolute path
     * @param all whether processes of all users may connect
     * @param group group whose processes may connect
     * @param owner the gateway's user
     */
    record Place(Path path, boolean all, OptionalInt group, int owner) {
        /** Opens the socket. */
        FdListener listen() {
            if (group.isPresent()) {
                return FdListener.bindForGroup(path, group.getAsInt());
            }
            return all ? FdListener.bindForAll(path) : FdListener.bind(path);
        }

        /** Checks the peer in addition to the mode of the socket's file; root may always connect. */
        boolean permits(PeerCredentials peer) {
            return all
                    || peer.uid() == owner
                    || peer.uid() == ROOT
                    || group.isPresent()
                            && (peer.gid() == group.getAsInt() || peer.groups().contains(group.getAsInt()));
        }
    }

    /**
     * Limits of the connections.
     *
     * @param all of all clients together
     * @param allPlace the setting of it, with its file
     * @param client of one client
     * @param clientPlace the setting of it, with its file
     */
    record Limits(int all, String allPlace, int client, String clientPlace) {}

    private static final int ROOT = 0;
    private static final int MOST_CONNECTIONS = 65_536;
    private static final int PATH_BYTES = 107;
    private static final String GROUP = "group:";

    /**
     * Checks a configuration.
     *
     * @throws HeapException for an invalid value
     */
    static NativeSettings of(NativeClients.Config config, Map<String, ?> properties, UserDatabase users)
            throws IOException {
        Settings settings = Settings.of(NativeClients.PID, properties);
        int owner = UserDatabase.ownUser();
        Policy policy = new Policy(
                Grants.of(settings, "allow", "system=uid:1000", config.allow()),
                settings.place("allow"),
                Grants.of(settings, "published", "camera/*=uid:1000", config.published()),
                settings.place("published"),
                agents(settings, users, owner, config.agents()),
                settings.place("agents"));
        Limits limits = new Limits(
                settings.number("connections", config::connections, 1, MOST_CONNECTIONS),
                settings.place("connections"),
                settings.number("connections.client", config::connections_client, 1, MOST_CONNECTIONS),
                settings.place("connections.client"));
        return new NativeSettings(place(settings, users, owner, config), policy, limits);
    }

    private static Place place(Settings settings, UserDatabase users, int owner, NativeClients.Config config)
            throws IOException {
        String path = config.path().strip();
        if (!path.startsWith("/") || path.endsWith("/") || path.getBytes(StandardCharsets.UTF_8).length > PATH_BYTES) {
            throw settings.wrong("path", config.path(), "the absolute path of a file, at most 107 bytes");
        }
        String access = config.access().strip();
        OptionalInt group = OptionalInt.empty();
        if (access.startsWith(GROUP)) {
            group = OptionalInt.of(group(settings, users, access));
        } else if (!access.equals("owner") && !access.equals("all")) {
            throw settings.wrong("access", access, "owner, group:NAME or all");
        }
        return new Place(Path.of(path), access.equals("all"), group, owner);
    }

    private static int group(Settings settings, UserDatabase users, String access) throws IOException {
        try {
            return users.groupOf(access.substring(GROUP.length()));
        } catch (IllegalArgumentException e) {
            throw settings.wrong("access", access, "group:NAME with a group of this machine (" + e.getMessage() + ")");
        }
    }

    private static Set<Integer> agents(Settings settings, UserDatabase users, int owner, String... names)
            throws IOException {
        Set<Integer> agents = new HashSet<>();
        for (String name : HeapSettings.words(names)) {
            try {
                agents.add(users.userOf(name));
            } catch (IllegalArgumentException e) {
                throw settings.wrong("agents", name, "users of this machine (" + e.getMessage() + ")");
            }
        }
        if (agents.isEmpty()) {
            agents.add(owner);
            agents.add(ROOT);
        }
        return Set.copyOf(agents);
    }
}
