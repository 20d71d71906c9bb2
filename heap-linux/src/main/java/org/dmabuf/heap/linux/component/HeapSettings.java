// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntSupplier;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.UnavailableHeap;

/**
 * Settings of one heap: those that all heaps have, and through the methods of {@link Settings} the heap's own. An
 * exception also names the heap. Immutable.
 */
public final class HeapSettings extends Settings {
    private static final int NO_ID = -1;
    private static final int HIGHEST_ID = 63;
    private static final String ID_RANGE = "a whole number from 0 to 63, or -1 for none";
    private static final int NAME_LENGTH = 64;
    /** Name under which the broker lists adopted memory. The broker refuses a heap with this name. */
    private static final String ADOPTED = "adopted";

    private static final Set<String> INTEGERS =
            Set.of(HeapProperties.ID, HeapProperties.PRIORITY, HeapProperties.DMA_BITS);
    private static final Set<String> SIZES = Set.of(
            HeapProperties.CONTIGUOUS_MAX,
            HeapProperties.QUOTA,
            HeapProperties.ALIGNMENT,
            HeapProperties.SIZE_MAX,
            HeapProperties.SIZE_GRANULE,
            HeapProperties.SG_ENTRY);
    private static final Set<String> FLAGS = Set.of(
            HeapProperties.DMABUF,
            HeapProperties.CONTIGUOUS,
            HeapProperties.CACHED,
            HeapProperties.PROTECTED,
            HeapProperties.MAPPABLE,
            HeapProperties.EXPORT_READONLY,
            HeapProperties.RESTRICTED);
    /**
     * Settings of the place of a heap's memory, which every heap announces if they are configured. They take precedence
     * over the addresses of all of the machine's memory.
     */
    static final Set<String> PLACE =
            Set.of(HeapProperties.ADDRESS_MIN, HeapProperties.ADDRESS_MAX, HeapProperties.DMA_BITS);

    private static final int HEX = 16;

    private final String type;
    private final Map<String, ?> properties;
    private final String heap;
    private final IntSupplier id;
    private final IntSupplier priority;
    /** Additional properties that the heap announces, not yet of their types. */
    private final Map<String, Object> declared;

    private HeapSettings(
            String pid,
            String type,
            Map<String, ?> properties,
            String heap,
            IntSupplier id,
            IntSupplier priority,
            Map<String, Object> declared) {
        super(pid, properties, heap);
        this.declared = declared;
        this.type = type;
        this.properties = properties;
        this.heap = heap;
        this.id = id;
        this.priority = priority;
    }

    /**
     * Reads the settings of a configuration. The heap's name defaults to the name of a factory configuration.
     *
     * @param factory PID of the configuration or of its factory
     * @param type the kind of heap, which is also the default of the heap's name for a configuration without a name
     * @param properties of the configuration, as the component got them
     * @param name the setting {@code heap.name}, or empty
     * @param id the setting {@code heap.id}: bit in a mask of heaps, or -1 for none
     * @param priority the setting {@code heap.priority}
     * @return the settings
     */
    public static HeapSettings of(
            String factory, String type, Map<String, ?> properties, String name, IntSupplier id, IntSupplier priority) {
        String pid = pid(factory, properties);
        int tilde = pid.indexOf('~');
        String heap = !name.isEmpty() ? name : tilde < 0 ? type : pid.substring(tilde + 1);
        return new HeapSettings(pid, type, properties, heap, id, priority, only(properties, PLACE::contains));
    }

    private static Map<String, Object> only(Map<String, ?> properties, Predicate<String> wanted) {
        Map<String, Object> some = new HashMap<>();
        properties.forEach((key, value) -> {
            if (wanted.test(key)) {
                some.put(key, value);
            }
        });
        return some;
    }

    /**
     * Reads the settings of a heap that declares its properties. The heap announces each component property
     * {@code heap.*} that is set by an annotation of {@code org.dmabuf.heap.spi.propertytypes} or by the configuration.
     * The configuration overrides annotations.
     *
     * @param factory PID of the configuration or of its factory
     * @param properties of the component
     * @return the settings
     */
    public static HeapSettings declared(String factory, Map<String, ?> properties) {
        String type = properties.get(HeapProperties.TYPE) instanceof String kind ? kind : "vendor";
        String name = properties.get(HeapProperties.NAME) instanceof String own ? own : "";
        return of(factory, type, properties, name, () -> NO_ID, () -> 0).withDeclared();
    }

    private HeapSettings withDeclared() {
        return new HeapSettings(
                pid(), type, properties, heap, id, priority, only(properties, key -> key.startsWith("heap.")));
    }

    /** {@return the heap's name} */
    public String heap() {
        return heap;
    }

    /**
     * Returns the configured properties, which the heap announces.
     *
     * @return the service properties
     * @throws HeapException for an invalid setting
     */
    Map<String, Object> announcement() {
        requireName();
        Map<String, Object> announced = new HashMap<>();
        announced.put(HeapProperties.PRIORITY, number(HeapProperties.PRIORITY, priority));
        announced.put(HeapProperties.ID, number(HeapProperties.ID, id, NO_ID, HIGHEST_ID, ID_RANGE));
        declared.forEach((key, value) -> announced.put(key, typed(key, value)));
        announced.put(HeapProperties.TYPE, type);
        announced.put(HeapProperties.NAME, heap);
        announced.remove(HeapProperties.ID, NO_ID);
        return announced;
    }

    private void requireName() {
        boolean printable = heap.equals(Printable.of(heap))
                && heap.indexOf('\uFFFD') < 0 // from invalid UTF-8 in the file
                && heap.chars().noneMatch(c -> c == '/' || Character.isSpaceChar(c));
        if (heap.isEmpty() || heap.length() > NAME_LENGTH || !printable || heap.contains("..")) {
            throw wrong(
                    HeapProperties.NAME,
                    heap,
                    "1 to " + NAME_LENGTH + " characters that print, without blanks, '/' and '..'");
        }
        if (heap.equals(ADOPTED)) {
            throw wrong(HeapProperties.NAME, heap, "another name, because adopted memory is listed under this one");
        }
    }

    /** Converts a value to the type that {@link HeapProperties} states, because a configuration file has only texts. */
    private Object typed(String key, Object value) {
        if (key.equals(HeapProperties.ID)) {
            return number(key, id, NO_ID, HIGHEST_ID, ID_RANGE);
        }
        if (INTEGERS.contains(key)) {
            return number(key, () -> 0);
        }
        if (!(value instanceof String text)) {
            return value;
        }
        if (SIZES.contains(key)) {
            return bytes(key, text);
        }
        if (key.equals(HeapProperties.ADDRESS_MIN) || key.equals(HeapProperties.ADDRESS_MAX)) {
            return address(key, text);
        }
        if (key.equals(HeapProperties.NUMA)) {
            return memoryNodes(text);
        }
        return FLAGS.contains(key) ? (Object) flag(key, () -> false) : text;
    }

    private long address(String key, String text) {
        String number = text.strip().toLowerCase(Locale.ROOT);
        try {
            return number.startsWith("0x") ? Long.parseLong(number.substring(2), HEX) : Bytes.parse(number);
        } catch (IllegalArgumentException e) {
            throw wrong(key, text, "a physical address: 0x3fffffff or 1G");
        }
    }

    @Override
    boolean isCommon(String setting) {
        return PLACE.contains(setting);
    }

    private List<Integer> memoryNodes(String text) {
        if (!text.matches("\\s*[0-9]{1,9}([\\s,]+[0-9]{1,9})*\\s*")) {
            throw wrong(HeapProperties.NUMA, text, "numbers of memory nodes: 0,1");
        }
        return Stream.of(text.strip().split("[\\s,]+")).map(Integer::valueOf).toList();
    }

    /**
     * Returns the service properties of the heap's {@link UnavailableHeap}.
     *
     * @param reason a sentence without the heap's name
     * @param retried whether the start is repeated automatically
     * @return properties for {@link UnavailableHeap}
     */
    Map<String, Object> unavailable(String reason, boolean retried) {
        Map<String, Object> listed = new HashMap<>();
        listed.put(HeapProperties.NAME, heap);
        listed.put(UnavailableHeap.REASON, reason);
        listed.put(UnavailableHeap.RETRIED, retried);
        listed.put(UnavailableHeap.PID, pid());
        file().ifPresent(file -> listed.put(UnavailableHeap.FILE, file.toString()));
        return listed;
    }

    /**
     * As {@link Settings#unread(Class)}, for a configuration that is not of a heap.
     *
     * @param pid name of the configuration
     * @param properties of the configuration, as the component got them
     * @param settings the annotation whose methods are the settings
     * @return a sentence for each, for the log
     */
    public static List<String> unread(String pid, Map<String, ?> properties, Class<?> settings) {
        return Settings.of(pid, properties).unread(settings);
    }

    /**
     * Reads a list. Blanks separate the entries, because the files of File Install have no list type and the kernel's
     * names of heaps can contain commas.
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
     * Reads a list of the kernel's names of heaps.
     *
     * @param setting its name
     * @param values texts with blanks between the names
     * @return the names
     * @throws HeapException for an invalid name
     */
    public List<String> nodes(String setting, String... values) {
        List<String> nodes = words(values);
        for (String node : nodes) {
            if (node.contains("/") || node.contains("..")) {
                throw wrong(setting, node, "names below " + DmaHeapSource.FOLDER + ", without '/' and '..'");
            }
        }
        return nodes;
    }

    /** {@return whether another configuration has the same settings for the same heap} */
    boolean equalsConfigured(HeapSettings other) {
        return pid().equals(other.pid())
                && heap.equals(other.heap)
                && configured().equals(other.configured());
    }
}
