// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.dmabuf.heap.linux.component.SettingsFile;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Check of a file's text for errors, and for syntax that means something else than a person expects. A backslash that
 * joins two lines is reported only if the second line looks like a setting, which starts at the beginning of a line.
 * Entries of a list, {@code HEAP=SIZE}, are indented.
 */
final class TextCheck {
    private static final char BYTE_ORDER_MARK = '\uFEFF';
    private static final Pattern SETTING = Pattern.compile("[A-Za-z][\\w.-]*\\s*[=:].*");

    /** A backslash with u that is not itself escaped and is not followed by four hexadecimal digits. */
    private static final Pattern ESCAPE = Pattern.compile("(?<!\\\\)(?:\\\\\\\\)*\\\\u(?![0-9a-fA-F]{4})");

    /**
     * Sentence about a place in the text.
     *
     * @param error whether the text cannot be read as settings; if not, the finding is a warning
     */
    record Finding(String sentence, boolean error) {}

    private final String file;
    private final List<Finding> findings = new ArrayList<>();

    private TextCheck(String file) {
        this.file = file;
    }

    /**
     * Checks a file.
     *
     * @param file file as messages show it
     * @param content its bytes
     * @param plain whether the file has NAME = VALUE lines only; false for the format with types
     */
    static List<Finding> findings(String file, byte[] content, boolean plain) {
        TextCheck check = new TextCheck(file);
        String text = new String(content, StandardCharsets.UTF_8);
        check.encoding(text, content);
        if (plain) {
            List<SettingsFile.Entry> entries = SettingsFile.of(text).entries();
            entries.forEach(check::lines);
            check.twice(entries);
        }
        return check.findings;
    }

    private void encoding(String text, byte[] content) {
        if (text.indexOf(BYTE_ORDER_MARK) == 0) {
            error("invalid byte order mark", 1, "UTF-8 without it, since it becomes part of the first name");
        }
        int nul = text.indexOf('\0');
        if (nul >= 0) { // UTF-16 without its mark is valid UTF-8 in which each second byte is zero
            error(
                    "invalid encoding",
                    (int) text.substring(0, nul).chars().filter(c -> c == '\n').count() + 1,
                    "UTF-8");
            return;
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content));
        } catch (CharacterCodingException e) {
            String before = text.substring(0, text.indexOf('\uFFFD'));
            error(
                    "invalid encoding",
                    (int) before.chars().filter(c -> c == '\n').count() + 1,
                    "UTF-8");
        }
    }

    private void lines(SettingsFile.Entry entry) {
        List<String> lines = entry.lines();
        for (int i = 1; i < lines.size(); i++) {
            if (isSwallowed(lines.get(i))) {
                backslash(
                        entry.line() + i - 1,
                        "no backslash, since it joins line " + (entry.line() + i) + " to this one");
            }
        }
        if (lines.size() == 1
                && lines.getFirst().endsWith("\\")
                && !lines.getFirst().endsWith("\\\\")) {
            backslash(entry.line(), "no backslash, since no line follows");
        }
        if (lines.stream().anyMatch(line -> ESCAPE.matcher(line).find())) {
            error(
                    "invalid escape in '" + shown(lines.getFirst()) + "'",
                    entry.line(),
                    "four hexadecimal digits after \\u, or two backslashes for a backslash");
        }
        if (lines.stream().noneMatch(line -> line.contains("=") || line.contains(":"))) {
            error("invalid line '" + shown(lines.getFirst()) + "'", entry.line(), "NAME = VALUE");
        }
    }

    private void backslash(int line, String right) {
        warning("invalid backslash at the end of the line", line, right);
    }

    private static boolean isSwallowed(String line) {
        String text = line.strip();
        return text.isEmpty()
                || text.startsWith("#")
                || text.startsWith("!")
                || SETTING.matcher(line).matches();
    }

    private void twice(List<SettingsFile.Entry> entries) {
        Map<String, Integer> first = new HashMap<>();
        for (SettingsFile.Entry entry : entries) {
            Integer before = first.putIfAbsent(entry.key(), entry.line());
            if (before != null && !entry.key().isEmpty()) {
                warning(
                        "duplicate setting " + shown(entry.key()),
                        entry.line(),
                        "one; line " + before + " has it too, and the last line takes effect");
            }
        }
    }

    private static String shown(String text) {
        String line = Printable.of(text.strip());
        return line.length() > 60 ? line.substring(0, 60) + "..." : line;
    }

    private void error(String what, int line, String right) {
        findings.add(new Finding(sentence(what, line, right), true));
    }

    private void warning(String what, int line, String right) {
        findings.add(new Finding(sentence(what, line, right), false));
    }

    private String sentence(String what, int line, String right) {
        return what + " in " + file + ", line " + line + ": expected " + right;
    }
}
