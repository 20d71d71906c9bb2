// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.socket.UserDatabase;

/** Parser of the users in a configuration, which are given by number or by name. */
final class Users {
    private final HeapSettings settings;
    private final Path passwd;
    private final UserDatabase database;

    /**
     * @param settings the settings, which name themselves in refusals
     * @param passwd the file for look-ups of names: {@code /etc/passwd}, since it has the users of services
     */
    Users(HeapSettings settings, Path passwd) {
        this.settings = settings;
        this.passwd = passwd;
        this.database = UserDatabase.of(passwd, Path.of("/etc/group"));
    }

    /**
     * Parses a list.
     *
     * @param configured numbers and names; a value may have several, separated by commas or blanks
     * @return the user ids, in the order of the list
     * @throws HeapException {@link Errno#EINVAL} for an unknown name, because a list that is used only in part could
     *     admit or refuse the wrong users
     */
    List<Integer> ids(String... configured) {
        return Arrays.stream(configured)
                .flatMap(value -> Stream.of(value.split("[,\\s]+")))
                .filter(word -> !word.isEmpty())
                .map(this::id)
                .toList();
    }

    private Integer id(String word) {
        try {
            return database.userOf(word);
        } catch (IOException | IllegalArgumentException e) {
            throw unknown(word);
        }
    }

    private HeapException unknown(String word) {
        return settings.wrong(HeapProperties.PEERS, word, "users of " + passwd + ", by number or name");
    }
}
