// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.HeapSettings;

/** Users as a configuration names them, by number or by name. */
final class Users {
    private final HeapSettings settings;
    private final Path passwd;

    /**
     * @param settings named in a refusal
     * @param passwd where names are looked up: {@code /etc/passwd}, which is where the users of services are
     */
    Users(HeapSettings settings, Path passwd) {
        this.settings = settings;
        this.passwd = passwd;
    }

    /**
     * Reads a list.
     *
     * @param configured numbers and names, each value one or several with commas or blanks between
     * @return user ids, in the order of the list
     * @throws HeapException {@link Errno#EINVAL} for a name that nobody has: a list that is understood in part would
     *     let others in, or keep out whom it should let in
     */
    List<Integer> ids(String... configured) {
        return Arrays.stream(configured)
                .flatMap(value -> Stream.of(value.split("[,\\s]+")))
                .filter(word -> !word.isEmpty())
                .map(this::id)
                .toList();
    }

    private Integer id(String word) {
        if (word.chars().allMatch(c -> c >= '0' && c <= '9')) {
            try {
                return Integer.parseUnsignedInt(word); // as a Peer has it
            } catch (NumberFormatException e) {
                throw nobody(word);
            }
        }
        try {
            // A comment in another encoding must not hide the users: what is no UTF-8 is replaced.
            return new String(Files.readAllBytes(passwd), StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> line.split(":"))
                    .filter(fields -> fields.length > 2 && fields[0].equals(word))
                    .map(fields -> Integer.parseUnsignedInt(fields[2]))
                    .findFirst()
                    .orElseThrow(() -> nobody(word));
        } catch (IOException | NumberFormatException e) {
            throw nobody(word);
        }
    }

    private HeapException nobody(String word) {
        return settings.wrong(HeapProperties.PEERS, word, "users of " + passwd + ", by number or name");
    }
}
