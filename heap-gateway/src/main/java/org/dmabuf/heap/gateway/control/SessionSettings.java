// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Initial settings of each session.
 *
 * @param variables variables of Gogo
 * @param history file for the command history; empty if no file can be written
 */
record SessionSettings(Map<String, String> variables, Optional<Path> history) {
    /** Framework property of the launcher: names of the properties that become variables, separated by commas. */
    static final String VARIABLES = "control.variables";

    /** Framework property of the launcher: the folder for files that the gateway writes; absent by default. */
    private static final String STATE = "gateway.state";

    private static final String PREFIX = "session.";

    static SessionSettings of(Function<String, String> properties) {
        Map<String, String> variables = new TreeMap<>();
        String names = properties.apply(VARIABLES);
        if (names != null && !names.isBlank()) {
            for (String name : names.split(",")) {
                variables.put(name, properties.apply(PREFIX + name));
            }
        }
        return new SessionSettings(variables, history(properties.apply(STATE)));
    }

    /** Returns the folder for the history. A service has a state folder; the home of its user is often read-only. */
    private static Optional<Path> history(String state) {
        Path file =
                state == null ? Path.of(System.getProperty("user.home"), ".gogo.history") : Path.of(state, "history");
        try {
            Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        } catch (FileAlreadyExistsException e) {
            // the file exists already
        } catch (IOException | UnsupportedOperationException e) { // a file system without modes throws the latter
            return Optional.empty();
        }
        return Files.isRegularFile(file) && Files.isWritable(file) ? Optional.of(file) : Optional.empty();
    }
}
