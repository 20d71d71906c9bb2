// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** Properties of the framework, which every bundle can read. */
final class Settings {
    /** Properties with this prefix become variables of the session that runs a command or a script. */
    static final String SESSION = "session.";

    private Settings() {}

    /**
     * Reads the properties of a file. A system property of the same name takes precedence, so that a single run can
     * differ ({@code JAVA_OPTS=-Dfelix.log.level=4}) without an edit.
     */
    static Map<String, String> load(Path file, Properties system) throws Failure {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        } catch (IOException | IllegalArgumentException e) {
            throw Failure.of(
                    "reading " + file + " failed: " + Sentence.of(e)
                            + "; permit the gateway's user to read it, or copy it again",
                    e);
        }
        Map<String, String> settings = new TreeMap<>();
        for (String name : properties.stringPropertyNames()) {
            settings.put(
                    name, system.getProperty(name, properties.getProperty(name)).strip());
        }
        return settings;
    }

    /** Returns the variables of a session: the properties with the prefix {@code session.}, without the prefix. */
    static Map<String, String> ofSession(Map<String, String> settings) {
        Map<String, String> variables = new TreeMap<>();
        settings.forEach((name, value) -> {
            if (name.startsWith(SESSION)) {
                variables.put(name.substring(SESSION.length()), value);
            }
        });
        return variables;
    }
}
