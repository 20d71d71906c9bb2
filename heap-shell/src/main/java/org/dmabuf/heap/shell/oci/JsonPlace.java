// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigInteger;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * JSON value of a file, with the path that leads to it. Every error message names file and path.
 *
 * @param file name of the file, for messages
 * @param path such as {@code linux.seccomp.syscalls[3]}; empty for the whole file
 * @param value the value, which has no other copy of its parts
 */
record JsonPlace(String file, String path, JsonElement value) {
    /** Greatest depth of objects and arrays. A profile has less than 10; the parser is recursive. */
    private static final int DEEPEST = 64;

    /** Part of the library's messages. Its remedies are for programmers. */
    private static final Pattern PLACE = Pattern.compile(" at line [0-9]+ column [0-9]+ path \\S+");

    private static final BigInteger WORDS = BigInteger.ONE.shiftLeft(Long.SIZE);

    /**
     * Parses a file by RFC 8259, without the extensions of the library.
     *
     * @param file name of the file, for messages
     * @param text its content
     * @return the whole value
     * @throws IllegalArgumentException if it is not exactly one JSON value
     */
    static JsonPlace parse(String file, String text) {
        try (JsonReader reader = new JsonReader(new StringReader(text))) {
            reader.setStrictness(Strictness.STRICT);
            reader.setNestingLimit(DEEPEST);
            JsonElement value = JsonParser.parseReader(reader);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new IllegalArgumentException(
                        "invalid " + file + ": expected one JSON value and nothing after it");
            }
            return new JsonPlace(file, "", value);
        } catch (IOException | JsonParseException e) {
            Matcher place = PLACE.matcher(String.valueOf(e.getMessage()));
            String where = place.find() ? place.group() : "";
            throw new IllegalArgumentException("invalid " + file + ": expected JSON" + where, e);
        }
    }

    /** {@return the value, which is an object} */
    JsonObject object() {
        if (!value.isJsonObject()) {
            throw invalid("an object");
        }
        return value.getAsJsonObject();
    }

    /** {@return a member of this object; empty if the object has no such member, or null there} */
    Optional<JsonPlace> member(String name) {
        return Optional.ofNullable(object().get(name))
                .filter(member -> !member.isJsonNull())
                .map(member -> at(name, member));
    }

    /** {@return an array of this object; an empty one if the object has no such member} */
    JsonPlace arrayOrEmpty(String name) {
        return member(name).orElseGet(() -> at(name, new JsonArray()));
    }

    private JsonPlace at(String name, JsonElement member) {
        return new JsonPlace(file, path.isEmpty() ? name : path + "." + name, member);
    }

    /** {@return a member that this object must have} */
    JsonPlace required(String name, String expected) {
        return member(name)
                .orElseThrow(() -> new IllegalArgumentException(
                        "invalid " + where() + " in " + file + ": expected " + name + ", " + expected));
    }

    /** {@return the elements of this array} */
    List<JsonPlace> elements() {
        if (!value.isJsonArray()) {
            throw invalid("an array");
        }
        JsonArray array = value.getAsJsonArray();
        return IntStream.range(0, array.size())
                .mapToObj(i -> new JsonPlace(file, path + "[" + i + "]", array.get(i)))
                .toList();
    }

    /** {@return this string} */
    String text() {
        if (!(value instanceof JsonPrimitive primitive) || !primitive.isString()) {
            throw invalid("a string");
        }
        return primitive.getAsString();
    }

    /** {@return this whole number of 64 bits without a sign} */
    long word() {
        String expected = "a whole number from 0 to 2^64 - 1";
        if (!(value instanceof JsonPrimitive primitive) || !primitive.isNumber()) {
            throw invalid(expected);
        }
        // Before the conversion: 1e999999999 would take all memory.
        if (!primitive.getAsString().matches("[0-9]{1,20}")) {
            throw invalid(expected);
        }
        BigInteger number = primitive.getAsBigInteger();
        if (number.compareTo(WORDS) >= 0) {
            throw invalid(expected);
        }
        return number.longValue();
    }

    /** {@return an exception on this value} */
    IllegalArgumentException invalid(String expected) {
        String shown = value.toString();
        return new IllegalArgumentException("invalid " + where() + " = "
                + (shown.length() > 60 ? shown.substring(0, 59) + "…" : shown) + " in " + file + ": expected "
                + expected);
    }

    private String where() {
        return path.isEmpty() ? "content" : path;
    }
}
