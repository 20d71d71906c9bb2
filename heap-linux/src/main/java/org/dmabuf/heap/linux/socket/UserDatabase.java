// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Lookup of the machine's users and groups by number or by name, for rules about peers. Each call reads the file again.
 * Ids are unsigned 32-bit numbers, as in {@link PeerCredentials}. Any thread may call any method.
 */
public final class UserDatabase {
    /** The kernel takes the greatest 32-bit number as "no change", so it is not a valid id. */
    private static final long HIGHEST = 0xFFFF_FFFEL;

    private final Path passwd;
    private final Path group;

    private UserDatabase(Path passwd, Path group) {
        this.passwd = Objects.requireNonNull(passwd);
        this.group = Objects.requireNonNull(group);
    }

    /** {@return the database of this machine: {@code /etc/passwd} and {@code /etc/group}} */
    public static UserDatabase local() {
        return of(Path.of("/etc/passwd"), Path.of("/etc/group"));
    }

    /**
     * Returns the database of other files in the same form.
     *
     * @param passwd file with the users
     * @param group file with the groups
     * @return the database in these files
     */
    public static UserDatabase of(Path passwd, Path group) {
        return new UserDatabase(passwd, group);
    }

    /**
     * Reads the id of this process's user.
     *
     * @return the user's id
     * @throws IOException when /proc is not mounted
     */
    public static int ownUser() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    /**
     * Parses a user's name or number.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException for a name that the file does not have, with a message for a user
     * @throws IOException when the file cannot be read
     */
    public int userOf(String word) throws IOException {
        return id("user", word, passwd);
    }

    /**
     * Parses a group's name or number.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException for a name that the file does not have, with a message for a user
     * @throws IOException when the file cannot be read
     */
    public int groupOf(String word) throws IOException {
        return id("group", word, group);
    }

    /**
     * Looks up the name of a user.
     *
     * @param uid its id
     * @return its name, or its number if it has no name
     * @throws IOException when the file cannot be read
     */
    public String nameOfUser(int uid) throws IOException {
        return name(uid, passwd);
    }

    /**
     * Looks up the name of a group.
     *
     * @param gid its id
     * @return its name, or its number if it has no name
     * @throws IOException when the file cannot be read
     */
    public String nameOfGroup(int gid) throws IOException {
        return name(gid, group);
    }

    private static int id(String what, String word, Path file) throws IOException {
        if (word.matches("[0-9]+")) {
            return number(what, word);
        }
        return entries(file)
                .filter(fields -> fields[0].equals(word))
                .findFirst()
                .map(fields -> number(what, fields[2]))
                .orElseThrow(() -> new IllegalArgumentException("unknown " + what + " '" + word + "': it is not in "
                        + file + "; give a name that the file has, or a number"));
    }

    private static int number(String what, String digits) {
        try {
            long number = Long.parseLong(digits);
            if (number >= 0 && number <= HIGHEST) {
                return (int) number;
            }
        } catch (NumberFormatException e) {
            // refused below
        }
        throw new IllegalArgumentException(
                "invalid " + what + " = '" + digits + "': expected a whole number from 0 to " + HIGHEST);
    }

    private static String name(int id, Path file) throws IOException {
        String number = Integer.toUnsignedString(id);
        return entries(file)
                .filter(fields -> fields[2].equals(number))
                .findFirst()
                .map(fields -> fields[0])
                .orElse(number);
    }

    /** Replaces bytes that are not UTF-8: a comment in another encoding must not hide the users. */
    private static Stream<String[]> entries(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.split(":"))
                .filter(fields -> fields.length > 2);
    }
}
