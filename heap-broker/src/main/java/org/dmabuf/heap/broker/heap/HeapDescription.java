// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.lang.reflect.Array;
import java.util.ArrayList;
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
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checked properties of a heap. They are the broker's copy, which refers to no object of the heap's bundle.
 *
 * @param name unique name
 * @param id bit in a mask
 * @param priority heaps with a higher priority are asked first
 * @param alignment the largest alignment that a request may ask for, in bytes
 * @param readOnlyExport whether the heap can export descriptors that permit no writes
 * @param quota the heap's own quota in bytes, which a configured quota overrides; {@link Rules#UNLIMITED} for no quota
 * @param restricted whether only clients that the broker's configuration names may use it
 * @param emulates the capabilities that the heap only emulates
 * @param properties every service property of a plain type
 * @param facts the guarantees with which demands are compared
 * @param kinds the kinds of demand that it declares
 * @param peers the rule for the processes that may receive a descriptor
 * @param bundle symbolic name of the bundle that announced the heap
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
        HeapFacts facts,
        List<ConstraintKind> kinds,
        Optional<PeerRule> peers,
        String bundle) {

    /** The name under which adopted memory is listed. It is reserved: a heap with this name is refused. */
    public static final String ADOPTED = "adopted";

    private static final Logger LOG = LoggerFactory.getLogger(HeapDescription.class);
    private static final int NAME_LENGTH = 64;
    private static final int HIGHEST_ID = 63;
    private static final int ADDRESS_BITS = 64;
    private static final long USUAL_ALIGNMENT = 4096;

    /** The default values of absent properties, see {@link HeapProperties}. */
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

    private static final String NOT_STRINGS =
            "invalid " + HeapProperties.EMULATES + ": expected a String or a list of Strings";
    private static final String FOREIGN = "its class is not one of Java's own collections";

    /** Types whose values refer to no object of a heap's bundle. */
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

    /** The refusal of invalid properties. Its message is the reason, as listings show it. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String reason) {
            super(reason);
        }
    }

    /**
     * Reads and checks a heap's service properties.
     *
     * @param properties the service properties
     * @param bundle symbolic name of the bundle that announced the heap
     * @return the description
     * @throws Refused if a property is invalid; the message names it
     */
    static HeapDescription of(Map<String, ?> properties, String bundle) throws Refused {
        OptionalInt id = properties.containsKey(HeapProperties.ID)
                ? OptionalInt.of((int) number(properties, HeapProperties.ID, 0, 0, HIGHEST_ID))
                : OptionalInt.empty();
        long alignment = powerOfTwo(properties, HeapProperties.ALIGNMENT, USUAL_ALIGNMENT);
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
        number(properties, HeapProperties.SIZE_MAX, 0, 0, Long.MAX_VALUE);
        number(properties, HeapProperties.SIZE_GRANULE, 1, 1, Long.MAX_VALUE);
        long lowest = number(properties, HeapProperties.ADDRESS_MIN, 0, 0, Long.MAX_VALUE);
        number(properties, HeapProperties.ADDRESS_MAX, lowest, lowest, Long.MAX_VALUE);
        powerOfTwo(properties, HeapProperties.SG_ENTRY, 1);
        text(properties, HeapProperties.TYPE);
        text(properties, HeapProperties.BACKEND);
        Map<String, Object> plain = plain(properties, bundle);
        if (properties.containsKey(HeapProperties.PEERS) && !plain.containsKey(HeapProperties.PEERS)) {
            // otherwise any process could be a peer
            throw new Refused("invalid " + HeapProperties.PEERS
                    + ": expected an Integer, or an array or one of Java's own collections of Integers");
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
                HeapFacts.of(plain),
                kinds(plain),
                PeerRule.of(name(properties), plain.get(HeapProperties.PEERS)),
                bundle);
    }

    /** Returns the description of a refused heap, for listings. */
    public static HeapDescription refused(String label, Map<String, ?> properties, String bundle) {
        Object name = properties.get(HeapProperties.NAME);
        return named(
                name instanceof String text && !text.isEmpty() ? Printable.of(text) : label,
                plain(properties, bundle),
                bundle);
    }

    /**
     * Returns a description that is used in listings only, and has defaults for routing.
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
                HeapFacts.of(properties),
                List.of(),
                Optional.empty(),
                bundle);
    }

    /**
     * Returns the properties against which a requirement is matched: the announced ones, the defaults of absent ones,
     * and {@code heap.X=true} for each emulated X.
     *
     * @return a new map
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
            throw new Refused("invalid " + HeapProperties.NAME + ": expected a String that is not empty");
        }
        boolean printable =
                name.chars().noneMatch(c -> c == '/' || Character.isSpaceChar(c)) && name.equals(Printable.of(name));
        if (name.length() > NAME_LENGTH || !printable || name.contains("..")) {
            throw new Refused("invalid " + HeapProperties.NAME + " = '" + Printable.of(name) + "': expected at most "
                    + NAME_LENGTH + " printable characters without blanks, '/' and '..'");
        }
        if (name.equals(ADOPTED)) {
            throw new Refused(HeapProperties.NAME + " '" + name + "' is reserved for adopted memory");
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
            throw new Refused("invalid " + key + " of type " + value.getClass().getSimpleName()
                    + ": expected an Integer or a Long");
        }
        long number = ((Number) value).longValue();
        if (number < lowest || number > highest) {
            throw new Refused("invalid " + key + " = " + number + ": expected " + lowest + " to " + highest);
        }
        return number;
    }

    private static long powerOfTwo(Map<String, ?> properties, String key, long absent) throws Refused {
        long number = number(properties, key, absent, 1, Long.MAX_VALUE);
        if (Long.bitCount(number) != 1) {
            throw new Refused("invalid " + key + " = " + number + ": expected a power of two");
        }
        return number;
    }

    /** Reads the declared kinds. A declaration that is wrong refuses the heap, because its demands could not be met. */
    private static List<ConstraintKind> kinds(Map<String, Object> plain) throws Refused {
        Object value = plain.getOrDefault(HeapProperties.CONSTRAINT_KINDS, List.of());
        List<ConstraintKind> kinds = new ArrayList<>();
        try {
            for (Object declaration : value instanceof List<?> several ? several : List.of(value)) {
                kinds.add(ConstraintKind.parse(declaration.toString()));
            }
        } catch (IllegalArgumentException e) {
            throw new Refused("invalid " + HeapProperties.CONSTRAINT_KINDS + ": " + e.getMessage());
        }
        return List.copyOf(kinds);
    }

    private static boolean flag(Map<String, ?> properties, String key) throws Refused {
        Object value = properties.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw new Refused(
                    "invalid " + key + " of type " + value.getClass().getSimpleName() + ": expected a Boolean");
        }
        return Boolean.TRUE.equals(value);
    }

    private static void text(Map<String, ?> properties, String key) throws Refused {
        Object value = properties.get(key);
        if (value != null && !(value instanceof String)) {
            throw new Refused(
                    "invalid " + key + " of type " + value.getClass().getSimpleName() + ": expected a String");
        }
    }

    private static Set<String> emulations(Map<String, ?> properties) throws Refused {
        Object value = properties.get(HeapProperties.EMULATES);
        Iterable<?> all = switch (value) {
            case null -> Set.of();
            case String one -> Set.of(one);
            case Object[] some -> Arrays.asList(some);
            case Iterable<?> some -> some;
            default -> throw new Refused(NOT_STRINGS);
        };
        if (value instanceof Iterable<?> && isForeign(value)) {
            throw new Refused(HeapProperties.EMULATES + " cannot be read: " + FOREIGN);
        }
        Set<String> emulates = new TreeSet<>();
        try {
            for (Object one : all) {
                if (!(one instanceof String what)) {
                    throw new Refused(NOT_STRINGS);
                }
                emulates.add(what);
            }
        } catch (RuntimeException | LinkageError e) { // a JDK class may be a view of a vendor's list
            throw new Refused(HeapProperties.EMULATES + " cannot be read: " + ThrownText.text(e));
        }
        return emulates;
    }

    /**
     * Copies the values of plain types. Listings outlive a heap, and a value of a class of its bundle would keep the
     * bundle's class loader. Arrays become lists, so that the copy cannot change.
     */
    private static Map<String, Object> plain(Map<String, ?> properties, String bundle) {
        Map<String, Object> plain = new LinkedHashMap<>();
        properties.forEach((key, value) -> {
            if (value instanceof Collection<?> several) {
                plain(key, several, bundle).ifPresent(copy -> plain.put(key, copy));
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

    private static Optional<List<?>> plain(String key, Collection<?> several, String bundle) {
        if (isForeign(several)) {
            LOG.warn(
                    "property {} of a heap of bundle {} cannot be read: {}; report that to its vendor",
                    Printable.of(key),
                    Printable.of(bundle),
                    FOREIGN);
            return Optional.empty();
        }
        try {
            return Optional.of(Arrays.stream(several.toArray())
                    .filter(HeapDescription::isPlain)
                    .toList());
        } catch (RuntimeException | LinkageError e) { // a JDK class may be a view of a vendor's list
            LOG.warn(
                    "property {} of a heap of bundle {} cannot be read; report that to its vendor",
                    Printable.of(key),
                    Printable.of(bundle),
                    e);
            return Optional.empty();
        }
    }

    /**
     * Returns whether a value's class is outside the Java platform. The code of a vendor's list may hang, and must not
     * run on a thread of the framework.
     */
    private static boolean isForeign(Object value) {
        return value.getClass().getClassLoader() != null;
    }

    private static boolean isPlain(Object value) {
        return value != null && PLAIN.contains(value.getClass());
    }
}
