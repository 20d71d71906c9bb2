// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.Settings;

/**
 * Entries {@code NAME=CLIENT} of a setting: the clients that may use a heap, or open a published buffer. Without a
 * matching entry it is not permitted. In both parts {@code *} matches any text. Immutable.
 */
final class Grants {
    /** One entry; the name is kept as configured, for a filter. */
    private record Entry(String name, Pattern names, Pattern clients) {}

    private final List<Entry> entries;

    private Grants(List<Entry> entries) {
        this.entries = List.copyOf(entries);
    }

    /**
     * Parses a setting.
     *
     * @param settings settings for the exception
     * @param setting its name
     * @param example a valid entry
     * @param values entries, separated by blanks
     * @throws org.dmabuf.heap.HeapException for an invalid entry
     */
    static Grants of(Settings settings, String setting, String example, String... values) {
        List<Entry> entries = new ArrayList<>();
        for (String entry : HeapSettings.words(values)) {
            int at = entry.indexOf('=');
            String client = entry.substring(at + 1);
            boolean kindAndName = client.matches("[a-z0-9*]+:.+") || client.equals("*");
            if (at <= 0 || !kindAndName) {
                throw settings.wrong(
                        setting, entry, "NAME=KIND:NAME, where * matches any text, for instance " + example);
            }
            String name = entry.substring(0, at);
            entries.add(new Entry(name, glob(name), glob(client)));
        }
        return new Grants(entries);
    }

    private static Pattern glob(String text) {
        return Pattern.compile(
                Arrays.stream(text.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")),
                Pattern.DOTALL);
    }

    boolean permits(String name, ClientId client) {
        return entries.stream()
                .anyMatch(entry -> entry.names().matcher(name).matches()
                        && entry.clients().matcher(client.toString()).matches());
    }

    /** {@return names of the entries for a client, in which {@code *} matches any text} */
    List<String> namesFor(ClientId client) {
        return entries.stream()
                .filter(entry -> entry.clients().matcher(client.toString()).matches())
                .map(Entry::name)
                .distinct()
                .toList();
    }
}
