// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Reads the settings of one heap. What cannot be understood is refused with {@link Errno#EINVAL} and a sentence that
 * names the heap, the setting, its value, the configuration that has it, and what would be right. Immutable.
 */
public final class HeapSettings {
    private final String heap;
    private final String pid;

    /**
     * Settings of one configuration.
     *
     * @param heap name of the heap
     * @param pid name of the configuration
     */
    public HeapSettings(String heap, String pid) {
        this.heap = heap;
        this.pid = pid;
    }

    /**
     * Settings of one of the configurations of a factory, whose heap has the configuration's name unless another is
     * configured.
     *
     * @param factory name of the factory, and of the configuration where there is one only
     * @param properties of the configuration, as the component got them
     * @param name as configured, or empty
     * @param otherwise the heap's name where neither tells one
     * @return the settings
     */
    public static HeapSettings of(String factory, Map<String, ?> properties, String name, String otherwise) {
        String pid = properties.get("service.pid") instanceof String own ? own : factory;
        int tilde = pid.indexOf('~');
        return new HeapSettings(!name.isEmpty() ? name : tilde < 0 ? otherwise : pid.substring(tilde + 1), pid);
    }

    /** {@return the heap's name} */
    public String heap() {
        return heap;
    }

    /**
     * Where a person finds a setting.
     *
     * @param setting its name
     * @return for instance {@code size in org.dmabuf.heap.carveout~camera}
     */
    public String place(String setting) {
        return setting + " in " + pid;
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
        return refusal(setting + " = " + value + " in " + pid + " is none", right);
    }

    /**
     * The refusal of a configuration that lacks a setting.
     *
     * @param setting its name
     * @param right what it is to be
     * @return to be thrown
     */
    public HeapException absent(String setting, String right) {
        return refusal(setting + " is not set in " + pid, right);
    }

    private HeapException refusal(String what, String right) {
        return new HeapException(Errno.EINVAL, heap, "heap '" + heap + "': " + what + "; set it to " + right);
    }
}
