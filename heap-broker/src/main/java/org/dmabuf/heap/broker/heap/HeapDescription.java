// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.PeerRule;
import org.dmabuf.heap.broker.account.Rules;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checked properties of a heap: the broker's own copy, which refers to no object of the heap's bundle.
 *
 * @param name unique name
 * @param id bit in a mask
 * @param priority higher is asked first
 * @param alignment bytes, the largest that a request may ask for
 * @param readOnlyExport whether a descriptor can be exported that permits no writes
 * @param quota bytes that may be out where nothing else is configured, {@link Rules#UNLIMITED} for any
 * @param restricted whether only bundles that the broker's configuration names may use it
 * @param emulates the capabilities that the heap only emulates
 * @param properties every service property of a plain type
 * @param peers the rule for the processes that may be sent a descriptor
 * @param bundle symbolic name of the bundle that announced it
 */
public record HeapDescription(
        String name,
        OptionalInt id,
        int priority,
        long alignment,
        boolean readOnlyExport,
        long quota,
        boolean restricted,
        Set<String> emulates,
        Map<String, Object> properties,
        Optional<PeerRule> peers,
        String bundle) {

    /** The name under which adopted memory is listed; no heap may have it. */
    public static final String ADOPTED = "adopted";

    private static final Logger LOG = LoggerFactory.getLogger(HeapDescription.class);
    private static final int NAME_LENGTH = 64;
    private static final int HIGHEST_ID = 63;
    private static final int ADDRESS_BITS = 64;
    private static final long USUAL_ALIGNMENT = 4096;

    /** The values of absent properties, see {@link HeapProperties}. */
    private static final Map<String, Object> ABSENT = Map.of(
            HeapProperties.PRIORITY, 0,
            HeapProperties.DMABUF, false,
            HeapProperties.CONTIGUOUS, false,
            HeapProperties.CONTIGUOUS_MAX, 4096L,
            HeapProperties.CACHED, true,
            HeapProperties.PROTECTED, false,
            HeapProperties.MAPPABLE, true,
            HeapProperties.EXPORT_READONLY, false,
            HeapProperties.RESTRICTED, false,
            HeapProperties.ALIGNMENT, USUAL_ALIGNMENT);

    private static final String FOREIGN = "its class is not one of Java's own collections";

    /** Types whose values refer to nothing of a heap's bundle. */
    private static final Set<Class<?>> PLAIN = Set.of(
            String.class,
            Boolean.class,
            Character.class,
            Byte.class,
            Short.class,
            Integer.class,
            Long.class,
            Float.class,
            Double.class);

    /** The failure of properties that are not valid. Its message is the reason, for a person. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String reason) {
            super(reason);
        }
    }

    /**
     * Reads and checks a heap's service properties.
     *
     * @param properties as the service has them
     * @param bundle symbolic name of the bundle that announced it
     * @return the description
     * @throws Refused with the reason, which names the property
     */
    static HeapDescription of(Map<String, ?> properties, String bundle) throws Refused {
        OptionalInt id = properties.containsKey(HeapProperties.ID)
                ? OptionalInt.of((int) number(properties, HeapProperties.ID, 0, 0, HIGHEST_ID))
                : OptionalInt.empty();
        long alignment = number(properties, HeapProperties.ALIGNMENT, USUAL_ALIGNMENT, 1, Long.MAX_VALUE);
        if (Long.bitCount(alignment) != 1) {
            throw new Refused(HeapProperties.ALIGNMENT + " is " + alignment + ", which is no power of two");
        }
        for (String flag : Set.of(
                HeapProperties.DMABUF,
                HeapProperties.CONTIGUOUS,
                HeapProperties.CACHED,
                HeapProperties.PROTECTED,
                HeapProperties.MAPPABLE)) {
            flag(properties, flag);
        }
        number(properties, HeapProperties.CONTIGUOUS_MAX, 1, 1, Long.MAX_VALUE);
        number(properties, HeapProperties.DMA_BITS, 1, 1, ADDRESS_BITS);
        text(properties, HeapProperties.TYPE);
        text(properties, HeapProperties.BACKEND);
        Map<String, Object> plain = plain(properties);
        if (properties.containsKey(HeapProperties.PEERS) && !plain.containsKey(HeapProperties.PEERS)) {
            throw new Refused(HeapProperties.PEERS + " cannot be read"); // without it any process might be a peer
        }
        return new HeapDescription(
                name(properties),
                id,
                (int) number(properties, HeapProperties.PRIORITY, 0, Integer.MIN_VALUE, Integer.MAX_VALUE),
                alignment,
                flag(properties, HeapProperties.EXPORT_READONLY),
                number(properties, HeapProperties.QUOTA, Rules.UNLIMITED, 0, Long.MAX_VALUE),
                flag(properties, HeapProperties.RESTRICTED),
                emulations(properties),
                plain,
                PeerRule.of(name(properties), plain.get(HeapProperties.PEERS)),
                bundle);
    }

    /** Describes a heap that was refused, for listings. */
    public static HeapDescription refused(String label, Map<String, ?> properties, String bundle) {
        Object name = properties.get(HeapProperties.NAME);
        return named(
                name instanceof String text && !text.isEmpty() ? Printable.of(text) : label,
                plain(properties),
                bundle);
    }

    /**
     * Describes what has a name and is asked for nothing.
     *
     * @param properties of plain types, for listings
     */
    public static HeapDescription named(String name, Map<String, Object> properties, String bundle) {
        return new HeapDescription(
                name,
                OptionalInt.empty(),
                0,
                USUAL_ALIGNMENT,
                false,
                Rules.UNLIMITED,
                false,
                Set.of(),
                properties,
                Optional.empty(),
                bundle);
    }

    /**
     * Returns the properties that a requirement is matched with: those announced, the defaults of the absent ones, and
     * {@code heap.X=true} for each emulated X.
     *
     * @return another map on each call
     */
    Map<String, Object> required() {
        Map<String, Object> view = new HashMap<>(ABSENT);
        view.putAll(properties);
        emulates.forEach(what -> view.put("heap." + what, true));
        return view;
    }

    private static String name(Map<String, ?> properties) throws Refused {
        Object value = properties.get(HeapProperties.NAME);
        if (!(value instanceof String name) || name.isEmpty()) {
            throw new Refused(HeapProperties.NAME + " is missing or no String; announce one");
        }
        boolean printable = name.chars().noneMatch(c -> c == '/' || Character.isSpaceChar(c))
                && name.equals(Printable.of(name));
        if (name.length() > NAME_LENGTH || !printable || name.contains("..")) {
            throw new Refused(HeapProperties.NAME + " '" + Printable.of(name) + "' is no name: at most " + NAME_LENGTH
                    + " characters that print, without blanks, '/' and '..'");
        }
        if (name.equals(ADOPTED)) {
            throw new Refused(
                    HeapProperties.NAME + " '" + name + "' is what memory of other processes is listed under");
        }
        return name;
    }

    private static long number(Map<String, ?> properties, String key, long absent, long lowest, long highest)
            throws Refused {
        Object value = properties.get(key);
        if (value == null) {
            return absent;
        }
        if (!(value instanceof Integer || value instanceof Long)) {
            throw new Refused(key + " is a " + value.getClass().getSimpleName() + " and no whole number");
        }
        long number = ((Number) value).longValue();
        if (number < lowest || number > highest) {
            throw new Refused(key + " is " + number + ", outside " + lowest + " to " + highest);
        }
        return number;
    }

    private static boolean flag(Map<String, ?> properties, String key) throws Refused {
        Object value = properties.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw new Refused(key + " is a " + value.getClass().getSimpleName() + " and no Boolean");
        }
        return Boolean.TRUE.equals(value);
    }

    private static void text(Map<String, ?> properties, String key) throws Refused {
        Object value = properties.get(key);
        if (value != null && !(value instanceof String)) {
            throw new Refused(key + " is a " + value.getClass().getSimpleName() + " and no String");
        }
    }

    private static Set<String> emulations(Map<String, ?> properties) throws Refused {
        Object value = properties.get(HeapProperties.EMULATES);
        Iterable<?> all =
                switch (value) {
                    case null -> Set.of();
                    case String one -> Set.of(one);
                    case Object[] some -> Arrays.asList(some);
                    case Iterable<?> some -> some;
                    default -> throw new Refused(HeapProperties.EMULATES + " is no String and no list of them");
                };
        if (value instanceof Iterable<?> && isForeign(value)) {
            throw new Refused(HeapProperties.EMULATES + " cannot be read: " + FOREIGN);
        }
        Set<String> emulates = new TreeSet<>();
        try {
            for (Object one : all) {
                if (!(one instanceof String what)) {
                    throw new Refused(HeapProperties.EMULATES + " is no String and no list of them");
                }
                emulates.add(what);
            }
        } catch (RuntimeException | LinkageError e) { // Java's own list may be a view of a vendor's
            throw new Refused(HeapProperties.EMULATES + " cannot be read: " + ThrownText.text(e));
        }
        return emulates;
    }

    /**
     * Copies values of plain types. Listings outlive a heap, and a value of one of its own classes would keep its class
     * loader. Arrays become lists, so that the copy cannot change.
     */
    private static Map<String, Object> plain(Map<String, ?> properties) {
        Map<String, Object> plain = new LinkedHashMap<>();
        properties.forEach((key, value) -> {
            if (value instanceof Collection<?> several) {
                plain(several).ifPresent(copy -> plain.put(key, copy));
            } else if (value != null && value.getClass().isArray()) {
                plain.put(
                        key,
                        IntStream.range(0, Array.getLength(value))
                                .mapToObj(i -> Array.get(value, i))
                                .filter(HeapDescription::isPlain)
                                .toList());
            } else if (isPlain(value)) {
                plain.put(key, value);
            }
        });
        return Collections.unmodifiableMap(plain);
    }

    private static Optional<List<?>> plain(Collection<?> several) {
        if (isForeign(several)) {
            LOG.warn("a property of a heap cannot be read: {}; report that to its vendor", FOREIGN);
            return Optional.empty();
        }
        try {
            return Optional.of(Arrays.stream(several.toArray()).filter(HeapDescription::isPlain).toList());
        } catch (RuntimeException | LinkageError e) { // Java's own list may be a view of a vendor's
            LOG.warn("a property of a heap cannot be read; report that to its vendor", e);
            return Optional.empty();
        }
    }

    /**
     * Returns whether a value's class is not Java's own. The framework's thread runs no code of a vendor's list, which
     * may hang.
     */
    private static boolean isForeign(Object value) {
        return value.getClass().getClassLoader() != null;
    }

    private static boolean isPlain(Object value) {
        return value != null && PLAIN.contains(value.getClass());
    }
}
