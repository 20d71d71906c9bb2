// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.regex.Pattern;

/**
 * Lines of a configuration file, read as File Install does: by the rules of {@link Properties}, in UTF-8. The object
 * keeps the line of each setting, which a loaded configuration no longer has. Immutable.
 */
public final class SettingsFile {
    /** Setting on one line, or on several lines joined by backslashes. Immutable. */
    public static final class Entry {
        private final int first;
        private final List<String> lines;
        private final String key;
        private final String value;

        private Entry(int first, List<String> lines, String key, String value) {
            this.first = first;
            this.lines = List.copyOf(lines);
            this.key = key;
            this.value = value;
        }

        /** {@return the number of its first line, from 1 on} */
        public int line() {
            return first;
        }

        /** {@return its lines, unchanged; the last one ends with a backslash only at the end of the file} */
        public List<String> lines() {
            return lines;
        }

        /** {@return the name of the setting} */
        public String key() {
            return key;
        }

        /** {@return the text of the setting} */
        public String value() {
            return value;
        }
    }

    /** An unescaped backslash with u that no character code follows. */
    private static final Pattern WRONG_ESCAPE = Pattern.compile("(?<!\\\\)((?:\\\\\\\\)*)\\\\u(?![0-9a-fA-F]{4})");

    private final List<Entry> entries;

    private SettingsFile(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /**
     * Reads a file. Invalid UTF-8 is replaced, as File Install does.
     *
     * @param file the file
     * @return its lines
     * @throws IOException when the file cannot be read
     */
    public static SettingsFile read(Path file) throws IOException {
        return of(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
    }

    /**
     * Parses the text of a file.
     *
     * @param text the text
     * @return its lines
     */
    public static SettingsFile of(String text) {
        List<Entry> entries = new ArrayList<>();
        List<String> joined = new ArrayList<>();
        int number = 0;
        int first = 0;
        for (String line : text.split("\r\n|\r|\n", -1)) {
            number++;
            if (joined.isEmpty()) {
                String start = line.strip();
                if (start.isEmpty() || start.startsWith("#") || start.startsWith("!")) {
                    continue;
                }
                first = number;
            }
            joined.add(line);
            if (!goesOn(line)) {
                entries.add(entry(first, joined));
                joined.clear();
            }
        }
        if (!joined.isEmpty()) {
            entries.add(entry(first, joined));
        }
        return new SettingsFile(entries);
    }

    /** {@return whether a line ends with an unescaped backslash} */
    private static boolean goesOn(String line) {
        int backslashes = 0;
        while (backslashes < line.length() && line.charAt(line.length() - 1 - backslashes) == '\\') {
            backslashes++;
        }
        return backslashes % 2 == 1;
    }

    private static Entry entry(int first, List<String> lines) {
        String text = String.join("\n", lines);
        Properties one;
        try {
            one = load(text);
        } catch (IllegalArgumentException e) {
            one = load(WRONG_ESCAPE.matcher(text).replaceAll("$1\\\\\\\\u")); // as File Install
        }
        String key = one.stringPropertyNames().stream().findFirst().orElse("");
        return new Entry(first, lines, key, one.getProperty(key, ""));
    }

    private static Properties load(String text) {
        Properties read = new Properties();
        try {
            read.load(new StringReader(text));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // cannot happen for a text in memory
        }
        return read;
    }

    /** {@return the settings in the order of the file} */
    public List<Entry> entries() {
        return entries;
    }

    /**
     * Finds a setting. If a name occurs several times, the last one counts.
     *
     * @param setting its name
     * @return the number of its line, empty if the file does not have it
     */
    public OptionalInt line(String setting) {
        return entries.stream()
                .filter(entry -> entry.key().equals(setting))
                .mapToInt(Entry::line)
                .max();
    }
}
