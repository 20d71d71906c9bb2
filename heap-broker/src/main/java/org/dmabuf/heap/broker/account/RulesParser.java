// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Parser of the settings that become {@link Rules}. Each setting is a text of entries {@code KEY=VALUE}, separated by
 * blanks. A configuration file of File Install has no lists, and a heap's name may contain commas.
 */
public final class RulesParser {
    /** The failure to parse an entry. Its message describes the expected form. */
    private static final class Wrong extends Exception {
        private static final long serialVersionUID = 1L;

        Wrong(String right) {
            super(right);
        }
    }

    /** Receiver of invalid entries. */
    public interface Slips {
        /**
         * Reports an invalid entry.
         *
         * @param setting the setting that contains the entry
         * @param entry as configured
         * @param right the expected form
         */
        void add(String setting, String entry, String right);
    }

    private interface Reading {
        void read(String entry) throws Wrong;
    }

    private final Map<String, Long> heaps = new HashMap<>();
    private final List<Rules.ClientLimit> clients = new ArrayList<>();
    private final List<Rules.ClientLimit> shares = new ArrayList<>();
    private final Map<String, List<Rules.ClientMatch>> allowed = new HashMap<>();
    private final List<Rules.ClientMatch> views = new ArrayList<>();
    private final Slips slips;

    private RulesParser(Slips slips) {
        this.slips = slips;
    }

    /**
     * Parses the settings and skips invalid entries. A heap that an entry of {@code allow} names is closed even if the
     * rest of the entry is invalid. A typing error never opens a heap.
     *
     * @param quotaHeap entries {@code HEAP=SIZE}
     * @param quotaClient entries {@code CLIENT=SIZE}
     * @param quotaClientOnHeap entries {@code CLIENT/HEAP=SIZE}
     * @param allow entries {@code HEAP=CLIENT}
     * @param views entries {@code CLIENT}
     * @param slips receives each invalid entry
     * @return the rules
     */
    public static Rules parse(
            String[] quotaHeap,
            String[] quotaClient,
            String[] quotaClientOnHeap,
            String[] allow,
            String[] views,
            Slips slips) {
        RulesParser parser = new RulesParser(slips);
        parser.each(Rules.QUOTA_HEAP, quotaHeap, parser::heap);
        parser.each(Rules.QUOTA_CLIENT, quotaClient, parser::client);
        parser.each(Rules.QUOTA_CLIENT_ON_HEAP, quotaClientOnHeap, parser::clientOnHeap);
        parser.each(Rules.ALLOW, allow, parser::allow);
        parser.each(Rules.VIEWS, views, entry -> parser.views.add(match(entry)));
        return new Rules(parser.heaps, parser.clients, parser.shares, parser.allowed, parser.views);
    }

    private void each(String setting, String[] texts, Reading reading) {
        Arrays.stream(texts)
                .flatMap(text -> Stream.of(text.strip().split("\\s+")))
                .filter(entry -> !entry.isEmpty())
                .forEach(entry -> {
                    try {
                        reading.read(entry);
                    } catch (Wrong e) {
                        slips.add(setting, entry, e.getMessage());
                    }
                });
    }

    private void heap(String entry) throws Wrong {
        String[] parts = split(entry, entry.lastIndexOf('='), "HEAP=SIZE, for instance system=512M");
        if (heaps.putIfAbsent(parts[0], size(parts[1])) != null) {
            throw new Wrong("only one entry for each heap");
        }
    }

    private void client(String entry) throws Wrong {
        String[] parts = split(entry, entry.lastIndexOf('='), "CLIENT=SIZE, for instance org.example.camera=64M");
        if (parts[0].indexOf('/') >= 0 && parts[0].indexOf(':') < 0) {
            throw new Wrong("CLIENT=SIZE; a quota on one heap belongs in " + Rules.QUOTA_CLIENT_ON_HEAP);
        }
        clients.add(new Rules.ClientLimit(match(parts[0]), null, size(parts[1])));
    }

    private void clientOnHeap(String entry) throws Wrong {
        String right = "CLIENT/HEAP=SIZE, for instance org.example.camera/system=64M";
        String[] parts = split(entry, entry.lastIndexOf('='), right);
        String[] key = split(parts[0], parts[0].lastIndexOf('/'), right);
        shares.add(new Rules.ClientLimit(match(key[0]), key[1], size(parts[1])));
    }

    private void allow(String entry) throws Wrong {
        int at = entry.indexOf('=');
        List<Rules.ClientMatch> some =
                allowed.computeIfAbsent(at < 0 ? entry : entry.substring(0, at), heap -> new ArrayList<>());
        some.add(match(split(entry, at, "HEAP=CLIENT, for instance secure=org.example.*")[1]));
    }

    private static String[] split(String text, int at, String right) throws Wrong {
        if (at <= 0 || at == text.length() - 1) {
            throw new Wrong(right);
        }
        return new String[] {text.substring(0, at), text.substring(at + 1)};
    }

    private static long size(String text) throws Wrong {
        try {
            return Bytes.parse(text);
        } catch (IllegalArgumentException e) {
            throw new Wrong("a size in bytes, or a number with the suffix K, M, G or T");
        }
    }

    /**
     * Parses a symbolic name, {@code NAME@LOCATION}, or a text with a colon, which is a location or {@code KIND:NAME}.
     * In {@code @LOCATION} the name is empty, which is how a bundle without a symbolic name is shown.
     */
    private static Rules.ClientMatch match(String text) {
        int at = text.indexOf('@');
        int colon = text.indexOf(':');
        if (at >= 0 && (colon < 0 || at < colon)) {
            return new Rules.ClientMatch(at == 0 ? null : glob(text.substring(0, at)), glob(text.substring(at + 1)));
        }
        return colon >= 0 ? new Rules.ClientMatch(null, glob(text)) : new Rules.ClientMatch(glob(text), null);
    }

    /** Compiles a text in which {@code *} matches any characters. */
    private static Pattern glob(String text) {
        return Pattern.compile(
                Arrays.stream(text.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")),
                Pattern.DOTALL);
    }
}
