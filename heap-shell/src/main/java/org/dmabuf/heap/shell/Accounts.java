// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Lookup of users and groups by number or by name.
 *
 * @param passwd file with the names of the users
 * @param group file with the names of the groups
 */
record Accounts(Path passwd, Path group) {
    /** {@return the accounts in the files of this machine} */
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
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    int userOf(String word) throws IOException {
        return id("user", word, passwd);
    }

    /**
     * Reads a group.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    int groupOf(String word) throws IOException {
        return id("group", word, group);
    }

    /** {@return a user's name, or its number if it has no name} */
    String nameOfUser(int uid) throws IOException {
        return name(uid, passwd);
    }

    /** {@return a group's name, or its number if it has no name} */
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
                    .orElseThrow(() -> new IllegalArgumentException("unknown " + what + " '" + word
                            + "': it is not in " + file + "; give a name that the file has, or a number"));
        }
    }

    /** The kernel takes the greatest 32-bit number as "no change", so it is not a valid id. */
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

    /** Replaces bytes that are not UTF-8: a comment in another encoding must not hide the users. */
    private static Stream<String[]> entries(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.split(":"))
                .filter(fields -> fields.length > 2);
    }
}
