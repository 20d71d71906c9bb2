// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.socket;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Names of the machine's users and groups, for a rule that says which peers may have a descriptor. Each call reads the
 * file anew. Ids are as in {@link PeerCredentials}: 32 bits without a sign. Any thread may call any method.
 */
public final class Accounts {
    /** The greatest number of 32 bits means no change to the kernel. */
    private static final long HIGHEST = 0xFFFF_FFFEL;

    private final Path passwd;
    private final Path group;

    private Accounts(Path passwd, Path group) {
        this.passwd = Objects.requireNonNull(passwd);
        this.group = Objects.requireNonNull(group);
    }

    /** {@return the accounts of this machine: {@code /etc/passwd} and {@code /etc/group}} */
    public static Accounts local() {
        return of(Path.of("/etc/passwd"), Path.of("/etc/group"));
    }

    /**
     * Takes other files of the same form.
     *
     * @param passwd has the users
     * @param group has the groups
     * @return the accounts in them
     */
    public static Accounts of(Path passwd, Path group) {
        return new Accounts(passwd, group);
    }

    /**
     * Reads the user of this process.
     *
     * @return its id
     * @throws IOException when /proc is not mounted
     */
    public static int ownUser() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    /**
     * Reads a user.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException for a name that the file does not have, with a sentence
     * @throws IOException when the file cannot be read
     */
    public int userOf(String word) throws IOException {
        return id("user", word, passwd);
    }

    /**
     * Reads a group.
     *
     * @param word name or number
     * @return its id
     * @throws IllegalArgumentException for a name that the file does not have, with a sentence
     * @throws IOException when the file cannot be read
     */
    public int groupOf(String word) throws IOException {
        return id("group", word, group);
    }

    /**
     * Shows a user.
     *
     * @param uid its id
     * @return its name, or the number where it has no name
     * @throws IOException when the file cannot be read
     */
    public String nameOfUser(int uid) throws IOException {
        return name(uid, passwd);
    }

    /**
     * Shows a group.
     *
     * @param gid its id
     * @return its name, or the number where it has no name
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
                .orElseThrow(() -> new IllegalArgumentException("there is no " + what + " '" + word + "' in " + file
                        + "; give a name that is there, or a number"));
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
                "'" + digits + "' is no " + what + "; give a whole number from 0 to " + HIGHEST);
    }

    private static String name(int id, Path file) throws IOException {
        String number = Integer.toUnsignedString(id);
        return entries(file)
                .filter(fields -> fields[2].equals(number))
                .findFirst()
                .map(fields -> fields[0])
                .orElse(number);
    }

    /** What is no UTF-8 is replaced: a comment in another encoding must not hide the accounts. */
    private static Stream<String[]> entries(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.split(":"))
                .filter(fields -> fields.length > 2);
    }
}
