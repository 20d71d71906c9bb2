// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Strict reader of one JSON text (RFC 8259). Objects become {@link Map}, arrays {@link List}, strings {@link String},
 * numbers {@link Double}, the rest {@link Boolean} and null. A repeated name is refused, because another reader could
 * take the other value.
 */
final class JsonReader {
    private static final int DEEPEST = 64;

    private final String text;
    private int at;

    private JsonReader(String text) {
        this.text = text;
    }

    /**
     * Reads a value that takes the whole text.
     *
     * @throws IllegalArgumentException for anything else
     */
    static Object read(String text) {
        JsonReader reader = new JsonReader(text);
        Object value = reader.value(0);
        reader.blanks();
        if (reader.at < text.length()) {
            throw reader.invalid("the end of the text");
        }
        return value;
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw invalid("at most " + DEEPEST + " nested values");
        }
        blanks();
        return switch (peek()) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> number();
        };
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        if (closes('}')) {
            return members;
        }
        do {
            blanks();
            String name = string();
            blanks();
            require(':');
            if (members.containsKey(name)) {
                throw invalid("each name once");
            }
            members.put(name, value(depth + 1));
        } while (continues('}'));
        return members;
    }

    private List<Object> array(int depth) {
        List<Object> elements = new ArrayList<>();
        at++;
        if (closes(']')) {
            return elements;
        }
        do {
            elements.add(value(depth + 1));
        } while (continues(']'));
        return elements;
    }

    private boolean closes(char end) {
        blanks();
        boolean closes = peek() == end;
        if (closes) {
            at++;
        }
        return closes;
    }

    private boolean continues(char end) {
        if (closes(end)) {
            return false;
        }
        require(',');
        return true;
    }

    private String string() {
        require('"');
        StringBuilder string = new StringBuilder();
        for (char c = next(); c != '"'; c = next()) {
            if (c < ' ') {
                throw invalid("an escape for a control character");
            }
            string.append(c == '\\' ? escaped() : c);
        }
        return string.toString();
    }

    private char escaped() {
        char c = next();
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> (char) (digit() << 12 | digit() << 8 | digit() << 4 | digit());
            default -> throw invalid("an escape");
        };
    }

    private int digit() {
        char c = next();
        int digit = c < 128 ? Character.digit(c, 16) : -1;
        if (digit < 0) {
            throw invalid("a hexadecimal digit");
        }
        return digit;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw invalid("a value");
        }
        at += word.length();
        return value;
    }

    private Double number() {
        int begin = at;
        if (peek() == '-') {
            at++;
        }
        if (peek() == '0') {
            at++;
        } else {
            digits();
        }
        if (peek() == '.') {
            at++;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
        return Double.valueOf(text.substring(begin, at));
    }

    private void digits() {
        int begin = at;
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == begin) {
            throw invalid("a value");
        }
    }

    private void blanks() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
            at++;
        }
    }

    /** {@return the next character, NUL at the end of the text} */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private char next() {
        if (at == text.length()) {
            throw invalid("more text");
        }
        return text.charAt(at++);
    }

    private void require(char c) {
        if (peek() != c) {
            throw invalid("'" + c + "'");
        }
        at++;
    }

    private IllegalArgumentException invalid(String expected) {
        return new IllegalArgumentException("invalid JSON at character " + at + ": expected " + expected);
    }
}
