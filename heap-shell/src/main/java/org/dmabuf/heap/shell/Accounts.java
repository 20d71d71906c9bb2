// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Users and groups by number or by name.
 *
 * @param passwd where the names of users are
 * @param group where the names of groups are
 */
record Accounts(Path passwd, Path group) {
    /** {@return those of this machine's files} */
    static Accounts local() {
        return new Accounts(Path.of("/etc/passwd"), Path.of("/etc/group"));
    }

    /** {@return the user id of this process} */
    static int ownUser() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    /**
     * Reads a user.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException with a sentence
     */
    int userOf(String word) throws IOException {
        return id("user", word, passwd);
    }

    /**
     * Reads a group.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException with a sentence
     */
    int groupOf(String word) throws IOException {
        return id("group", word, group);
    }

    /** {@return a user's name, or its number where it has no name} */
    String nameOfUser(int uid) throws IOException {
        return name(uid, passwd);
    }

    /** {@return a group's name, or its number where it has no name} */
    String nameOfGroup(int gid) throws IOException {
        return name(gid, group);
    }

    private static int id(String what, String word, Path file) throws IOException {
        if (word.matches("[0-9]+")) {
            return number(what, word);
        }
        try (Stream<String[]> entries = entries(file)) {
            return entries.filter(fields -> fields[0].equals(word))
                    .findFirst()
                    .map(fields -> number(what, fields[2]))
                    .orElseThrow(() -> new IllegalArgumentException("there is no " + what + " '" + word + "' in " + file
                            + "; give a name that is there, or a number"));
        }
    }

    /** The greatest number of 32 bits means no change to the kernel. */
    private static int number(String what, String digits) {
        return (int) Numbers.whole(what, digits, 0, 0xFFFF_FFFEL);
    }

    private static String name(int id, Path file) throws IOException {
        String number = Integer.toUnsignedString(id);
        try (Stream<String[]> entries = entries(file)) {
            return entries.filter(fields -> fields[2].equals(number))
                    .findFirst()
                    .map(fields -> fields[0])
                    .orElse(number);
        }
    }

    /** What is no UTF-8 is replaced: a comment in another encoding must not hide the users. */
    private static Stream<String[]> entries(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.split(":"))
                .filter(fields -> fields.length > 2);
    }
}
