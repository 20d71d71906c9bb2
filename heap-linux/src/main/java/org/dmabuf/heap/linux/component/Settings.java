// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.io.IOException;
import java.lang.reflect.Array;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;

/**
 * Settings of one component, read from its configuration. An invalid value fails with {@link Errno#EINVAL} and the
 * message {@code invalid NAME = VALUE in FILE, line N: expected ...}. The message has the PID if the configuration has
 * no file, and no line if the file no longer has the setting. Immutable.
 *
 * <p>Values are read from the configuration itself. Declarative Services would truncate numbers, convert any word to
 * {@code false}, and report other conversion errors with messages of its own.
 */
public class Settings {
    /** Property in which the gateway, and File Install elsewhere, store the file of a configuration. */
    private static final String FILE = "felix.fileinstall.filename";
    /** Prefixes of the properties that Configuration Admin, Declarative Services and File Install add. */
    private static final List<String> FRAMEWORK = List.of("service.", "component.", "felix.", "osgi.", ".");

    /** Most log messages about unknown settings, so that a file of another kind does not fill the log. */
    private static final int MOST_UNREAD = 20;

    private final String pid;
    private final Map<String, ?> properties;
    /** Heap named in exceptions; null for a component that is not a heap. */
    private final String heap;

    /**
     * Reads a configuration.
     *
     * @param factory PID of the configuration or of its factory
     */
    Settings(String factory, Map<String, ?> properties, String heap) {
        this.pid = pid(factory, properties);
        this.properties = properties;
        this.heap = heap;
    }

    /**
     * Reads the settings of a component that is not a heap.
     *
     * @param pid PID of the configuration
     * @param properties of the configuration, as the component got them
     * @return the settings
     */
    public static Settings of(String pid, Map<String, ?> properties) {
        return new Settings(pid, properties, null);
    }

    static String pid(String factory, Map<String, ?> properties) {
        return properties.get("service.pid") instanceof String own ? own : factory;
    }

    String pid() {
        return pid;
    }

    /** {@return the file of the configuration, empty for a configuration of another origin} */
    Optional<Path> file() {
        if (!(properties.get(FILE) instanceof String file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(file.startsWith("file:") ? Path.of(URI.create(file)) : Path.of(file));
        } catch (IllegalArgumentException e) {
            // A handwritten URI that contains blanks.
            return Optional.of(Path.of(file.replaceFirst("^file:", "")));
        }
    }

    /** {@return the configured values as texts, with blanks between the entries of a list} */
    Map<String, String> configured() {
        Map<String, String> configured = new TreeMap<>();
        properties.forEach((key, value) -> {
            if (!isOfFramework(key)) {
                configured.put(key, String.join(" ", HeapSettings.words(text(value))));
            }
        });
        return configured;
    }

    private static boolean isOfFramework(String key) {
        return FRAMEWORK.stream().anyMatch(key::startsWith);
    }

    private static String text(Object value) {
        return switch (value) {
            case Collection<?> several -> several.stream().map(String::valueOf).collect(Collectors.joining(" "));
            case Object array
            when array.getClass().isArray() ->
                IntStream.range(0, Array.getLength(array))
                        .mapToObj(i -> String.valueOf(Array.get(array, i)))
                        .collect(Collectors.joining(" "));
            case null, default -> String.valueOf(value);
        };
    }

    /**
     * Describes where a setting is configured.
     *
     * @param setting its name
     * @return for instance {@code size in etc/org.dmabuf.heap.carveout-camera.cfg}
     */
    public String place(String setting) {
        return setting + " in " + source();
    }

    /** {@return the file relative to the gateway's folder, or the PID} */
    private String source() {
        return file().map(file -> Printable.of(shown(file).toString())).orElse(pid);
    }

    private static Path shown(Path file) {
        int names = file.getNameCount();
        return names > 1 ? file.subpath(names - 2, names) : file;
    }

    /** {@return the file with the line of the setting, or the PID} */
    private String sourceOf(String setting) {
        return file().map(file -> source() + line(file, setting)).orElse(pid);
    }

    private static String line(Path file, String setting) {
        try {
            var line = SettingsFile.read(file).line(setting);
            return line.isPresent() ? ", line " + line.getAsInt() : "";
        } catch (IOException e) {
            return ""; // it was removed meanwhile
        }
    }

    /**
     * Reads a whole number.
     *
     * @param setting its name
     * @param absent returns the number if the configuration has none
     * @return the number
     * @throws HeapException for an invalid value
     */
    public int number(String setting, IntSupplier absent) {
        return number(setting, absent, Integer.MIN_VALUE, Integer.MAX_VALUE, "a whole number");
    }

    /**
     * Reads a whole number within a range.
     *
     * @param setting its name
     * @param absent returns the number if the configuration has none
     * @param least the lowest
     * @param most the highest
     * @return the number
     * @throws HeapException for an invalid value
     */
    public int number(String setting, IntSupplier absent, int least, int most) {
        return number(setting, absent, least, most, "a whole number from " + least + " to " + most);
    }

    int number(String setting, IntSupplier absent, int least, int most, String right) {
        Object value = properties.get(setting);
        long number;
        try {
            number = value == null ? absent.getAsInt() : whole(value);
        } catch (RuntimeException e) { // Declarative Services converts on access, and throws
            throw wrong(setting, text(value), right);
        }
        if (number < least || number > most) {
            throw wrong(setting, text(value == null ? number : value), right);
        }
        return (int) number;
    }

    private static long whole(Object value) {
        return value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Long
                ? ((Number) value).longValue()
                : Long.parseLong(text(value).strip());
    }

    /**
     * Reads a boolean.
     *
     * @param setting its name
     * @param absent returns the value if the configuration has none
     * @return the value
     * @throws HeapException for an invalid value
     */
    public boolean flag(String setting, BooleanSupplier absent) {
        Object value = properties.get(setting);
        if (value == null) {
            return absent.getAsBoolean();
        }
        return switch (text(value).strip().toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> throw wrong(setting, text(value), "true or false");
        };
    }

    /**
     * Reads a size.
     *
     * @param setting its name
     * @param value a text for {@link Bytes#parse}
     * @return bytes
     * @throws HeapException for an invalid value
     */
    public long bytes(String setting, String value) {
        try {
            return Bytes.parse(value);
        } catch (IllegalArgumentException e) {
            throw wrong(setting, value, "bytes, or a number with K, M, G or T: 256M");
        }
    }

    /**
     * Reads the name of an enum constant, in any case.
     *
     * @param setting its name
     * @param value a constant's name
     * @param kind the constants
     * @param <E> their type
     * @return the constant
     * @throws HeapException for an invalid value
     */
    public <E extends Enum<E>> E oneOf(String setting, String value, Class<E> kind) {
        for (E one : kind.getEnumConstants()) {
            if (one.name().equalsIgnoreCase(value)) {
                return one;
            }
        }
        throw wrong(
                setting,
                value,
                Stream.of(kind.getEnumConstants())
                        .map(one -> one.name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(" or ")));
    }

    /**
     * Finds unknown settings in the configuration, for instance misspelt ones.
     *
     * @param settings the annotation whose methods are the settings
     * @return a sentence for each, for the log
     */
    public List<String> unread(Class<?> settings) {
        Set<String> read = Arrays.stream(settings.getDeclaredMethods())
                .map(method -> method.getName().replace('_', '.')) // as Declarative Services does
                .collect(Collectors.toCollection(TreeSet::new));
        List<String> unread = properties.keySet().stream()
                .filter(key -> !read.contains(key) && !isCommon(key) && !isOfFramework(key))
                .sorted()
                .toList();
        String right = ": expected one of " + String.join(", ", read);
        List<String> messages = new ArrayList<>();
        for (String key : unread.subList(0, Math.min(MOST_UNREAD, unread.size()))) {
            messages.add("unknown setting " + Printable.of(key) + " in " + sourceOf(key) + right);
        }
        if (unread.size() > MOST_UNREAD) {
            messages.add(unread.size() - MOST_UNREAD + " more unknown settings in " + source() + right);
        }
        return messages;
    }

    /** {@return whether every component of this kind reads a setting} */
    boolean isCommon(String setting) {
        return false;
    }

    /**
     * Returns the exception for an invalid value.
     *
     * @param setting its name
     * @param value as configured
     * @param right the expected values
     * @return the exception to throw
     */
    public HeapException wrong(String setting, String value, String right) {
        String text = Printable.of(value);
        // Quotes make blanks at an end visible.
        String shown = text.isEmpty() || !text.equals(text.strip()) ? "'" + text + "'" : text;
        return refusal("invalid " + setting + " = " + shown + " in " + sourceOf(setting) + ": expected " + right);
    }

    /**
     * Returns the exception for a missing setting.
     *
     * @param setting its name
     * @param right the expected values
     * @return the exception to throw
     */
    public HeapException absent(String setting, String right) {
        return refusal("missing " + place(setting) + ": expected " + right);
    }

    private HeapException refusal(String sentence) {
        return heap == null ? HeapException.of(Errno.EINVAL, sentence) : HeapException.of(Errno.EINVAL, heap, sentence);
    }
}
