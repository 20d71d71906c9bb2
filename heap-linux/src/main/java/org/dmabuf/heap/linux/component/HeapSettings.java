// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.UnavailableHeap;

/**
 * Settings of one heap, read from its configuration. A value that cannot be understood is refused with
 * {@link Errno#EINVAL} and a sentence that names the heap, the setting, its value, the configuration that has it, and
 * what would be right. Immutable.
 */
public final class HeapSettings {
    private static final int NO_ID = -1;
    private static final Set<String> INTEGERS =
            Set.of(HeapProperties.ID, HeapProperties.PRIORITY, HeapProperties.DMA_BITS);
    private static final Set<String> SIZES =
            Set.of(HeapProperties.CONTIGUOUS_MAX, HeapProperties.QUOTA, HeapProperties.ALIGNMENT);
    private static final Set<String> FLAGS = Set.of(
            HeapProperties.DMABUF,
            HeapProperties.CONTIGUOUS,
            HeapProperties.CACHED,
            HeapProperties.PROTECTED,
            HeapProperties.MAPPABLE,
            HeapProperties.EXPORT_READONLY,
            HeapProperties.RESTRICTED);
    /** Where File Install notes the file of a configuration. */
    private static final String FILE = "felix.fileinstall.filename";
    /** What Configuration Admin, Declarative Services and File Install add of their own. */
    private static final List<String> FRAMEWORK = List.of("service.", "component.", "felix.", "osgi.", ".");

    private final String pid;
    private final String type;
    private final Map<String, ?> properties;
    private final String heap;
    private final IntSupplier id;
    private final IntSupplier priority;
    /** Properties that the heap announces besides. */
    private final Map<String, Object> declared;

    private HeapSettings(
            String pid,
            String type,
            Map<String, ?> properties,
            String heap,
            IntSupplier id,
            IntSupplier priority,
            Map<String, Object> declared) {
        this.declared = declared;
        this.pid = pid;
        this.type = type;
        this.properties = properties;
        this.heap = heap;
        this.id = id;
        this.priority = priority;
    }

    /**
     * Reads the settings of a configuration. A heap of a factory's configuration has the configuration's name unless
     * another is set.
     *
     * @param factory name of the configuration, or of the factory that it is of
     * @param type the kind of heap, which is the heap's name, too, where the configuration has none
     * @param properties of the configuration, as the component got them
     * @param name the setting {@code heap.name}, or empty
     * @param id the setting {@code heap.id}: bit in a mask of heaps, or -1 for none
     * @param priority the setting {@code heap.priority}
     * @return the settings
     */
    public static HeapSettings of(
            String factory,
            String type,
            Map<String, ?> properties,
            String name,
            IntSupplier id,
            IntSupplier priority) {
        String pid = properties.get("service.pid") instanceof String own ? own : factory;
        int tilde = pid.indexOf('~');
        String heap = !name.isEmpty() ? name : tilde < 0 ? type : pid.substring(tilde + 1);
        return new HeapSettings(pid, type, properties, heap, id, priority, Map.of());
    }

    /**
     * Reads the settings of a heap that declares itself: each component property {@code heap.*}, from the annotations
     * of {@code org.dmabuf.heap.spi.propertytypes} or from the configuration, which goes before them, is announced.
     *
     * @param factory name of the configuration, or of the factory that it is of
     * @param properties of the component
     * @return the settings
     */
    public static HeapSettings declared(String factory, Map<String, ?> properties) {
        String type = properties.get(HeapProperties.TYPE) instanceof String kind ? kind : "vendor";
        String name = properties.get(HeapProperties.NAME) instanceof String own ? own : "";
        return of(factory, type, properties, name, () -> NO_ID, () -> 0).withDeclared();
    }

    private HeapSettings withDeclared() {
        Map<String, Object> declared = new HashMap<>();
        properties.forEach((key, value) -> {
            if (key.startsWith("heap.")) {
                declared.put(key, value);
            }
        });
        return new HeapSettings(pid, type, properties, heap, id, priority, declared);
    }

    /** {@return the heap's name} */
    public String heap() {
        return heap;
    }

    /**
     * Shows where a person finds a setting.
     *
     * @param setting its name
     * @return for instance {@code size in org.dmabuf.heap.carveout~camera}
     */
    public String place(String setting) {
        return setting + " in " + pid;
    }

    /**
     * Gives the configured properties that every heap announces.
     *
     * @return properties for a service
     * @throws HeapException for a setting that is no number
     */
    Map<String, Object> announcement() {
        Map<String, Object> announced = new HashMap<>();
        announced.put(HeapProperties.NAME, heap);
        announced.put(HeapProperties.TYPE, type);
        announced.put(HeapProperties.PRIORITY, number(HeapProperties.PRIORITY, priority));
        int bit = number(HeapProperties.ID, id);
        if (bit != NO_ID) {
            announced.put(HeapProperties.ID, bit);
        }
        for (Map.Entry<String, Object> one : declared.entrySet()) {
            announced.put(one.getKey(), typed(one.getKey(), one.getValue()));
        }
        announced.put(HeapProperties.NAME, heap);
        if (announced.get(HeapProperties.ID) instanceof Integer own && own == NO_ID) {
            announced.remove(HeapProperties.ID);
        }
        return announced;
    }

    /** Gives a value the type that {@link HeapProperties} states: a configuration file has texts. */
    private Object typed(String key, Object value) {
        if (!(value instanceof String text)) {
            return value;
        }
        try {
            if (INTEGERS.contains(key)) {
                return Integer.valueOf(text.strip());
            }
            if (SIZES.contains(key)) {
                return Bytes.parse(text.strip());
            }
        } catch (IllegalArgumentException e) {
            throw wrong(key, text, "a whole number");
        }
        if (!FLAGS.contains(key)) {
            return text;
        }
        return switch (text.strip()) {
            case "true" -> true;
            case "false" -> false;
            default -> throw wrong(key, text, "true or false");
        };
    }

    /**
     * Describes the heap as one that does not serve.
     *
     * @param reason a sentence, without the heap's name
     * @param retried whether it is tried again by itself
     * @return properties for {@link UnavailableHeap}
     */
    Map<String, Object> unavailable(String reason, boolean retried) {
        Map<String, Object> listed = new HashMap<>();
        listed.put(HeapProperties.NAME, heap);
        listed.put(UnavailableHeap.REASON, reason);
        listed.put(UnavailableHeap.RETRIED, retried);
        listed.put(UnavailableHeap.PID, pid);
        if (properties.get(FILE) instanceof String file) {
            listed.put(UnavailableHeap.FILE, file.replaceFirst("^file:", ""));
        }
        return listed;
    }

    /**
     * Reads a whole number. Declarative Services converts it when it is asked for it, and fails then.
     *
     * @param setting its name
     * @param value asks for it
     * @return the number
     * @throws HeapException when the configuration has none there
     */
    public int number(String setting, IntSupplier value) {
        try {
            return value.getAsInt();
        } catch (RuntimeException e) {
            throw wrong(setting, String.valueOf(properties.get(setting)), "a whole number");
        }
    }

    /**
     * Finds entries of the configuration that are no settings, as when a letter is wrong.
     *
     * @param settings the annotation whose methods are the settings
     * @return a sentence for each, for the log
     */
    public List<String> unread(Class<?> settings) {
        return unread(pid, properties, settings);
    }

    /**
     * As {@link #unread(Class)}, of a configuration that is not a heap's.
     *
     * @param pid name of the configuration
     * @param properties of the configuration, as the component got them
     * @param settings the annotation whose methods are the settings
     * @return a sentence for each, for the log
     */
    public static List<String> unread(String pid, Map<String, ?> properties, Class<?> settings) {
        Set<String> read = Arrays.stream(settings.getDeclaredMethods())
                .map(method -> method.getName().replace('_', '.')) // as Declarative Services does
                .collect(Collectors.toCollection(TreeSet::new));
        return properties.keySet().stream()
                .filter(key -> !read.contains(key) && FRAMEWORK.stream().noneMatch(key::startsWith))
                .sorted()
                .map(key -> "configuration " + pid + ": '" + key + "' is not a setting; there are: "
                        + String.join(", ", read))
                .toList();
    }

    /**
     * Reads a size.
     *
     * @param setting its name
     * @param value as {@link Bytes#parse} takes it
     * @return bytes
     * @throws HeapException for anything else
     */
    public long bytes(String setting, String value) {
        try {
            return Bytes.parse(value);
        } catch (IllegalArgumentException e) {
            throw wrong(setting, value, "bytes, or a number with K, M, G or T: 256M");
        }
    }

    /**
     * Reads a word that is the name of a constant, in any case.
     *
     * @param setting its name
     * @param value a constant's name
     * @param kind the constants
     * @param <E> their type
     * @return the constant
     * @throws HeapException for anything else
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
     * Reads a list: a file of File Install has none, and the kernel's names of heaps have commas.
     *
     * @param values texts with blanks between the entries
     * @return the entries
     */
    public static List<String> words(String... values) {
        return Arrays.stream(values)
                .flatMap(value -> Stream.of(value.split("\\s+")))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    /**
     * The refusal of a value.
     *
     * @param setting its name
     * @param value as configured
     * @param right what would be
     * @return to be thrown
     */
    public HeapException wrong(String setting, String value, String right) {
        return refusal("invalid " + setting + " = " + value + " in " + pid + ": expected " + right);
    }

    /**
     * The refusal of a configuration that lacks a setting.
     *
     * @param setting its name
     * @param right what it is to be
     * @return to be thrown
     */
    public HeapException absent(String setting, String right) {
        return refusal("missing " + setting + " in " + pid + ": expected " + right);
    }

    private HeapException refusal(String sentence) {
        return HeapException.of(Errno.EINVAL, heap, sentence);
    }
}
