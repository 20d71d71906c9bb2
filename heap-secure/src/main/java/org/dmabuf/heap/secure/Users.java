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
import org.dmabuf.heap.linux.socket.Accounts;

/** Users as a configuration names them, by number or by name. */
final class Users {
    private final HeapSettings settings;
    private final Path passwd;
    private final Accounts accounts;

    /**
     * @param settings named in a refusal
     * @param passwd where names are looked up: {@code /etc/passwd}, which is where the users of services are
     */
    Users(HeapSettings settings, Path passwd) {
        this.settings = settings;
        this.passwd = passwd;
        this.accounts = Accounts.of(passwd, Path.of("/etc/group"));
    }

    /**
     * Reads a list.
     *
     * @param configured numbers and names, each value one or several with commas or blanks between
     * @return user ids, in the order of the list
     * @throws HeapException {@link Errno#EINVAL} for a name that no user has: a list that is understood in part would
     *     let others in, or keep out a user that it should let in
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
            return accounts.userOf(word);
        } catch (IOException | IllegalArgumentException e) {
            throw unknown(word);
        }
    }

    private HeapException unknown(String word) {
        return settings.wrong(HeapProperties.PEERS, word, "users of " + passwd + ", by number or name");
    }
}
