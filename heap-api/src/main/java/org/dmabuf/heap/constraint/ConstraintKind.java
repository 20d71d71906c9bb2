// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import static java.util.stream.Collectors.joining;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.HeapProperties;

/**
 * Kind of demand: its name, the operator of its values, and the property of a heap that they are compared with. A
 * vendor makes kinds of its own for its heaps' own properties. Two kinds with the same name, operator and fact are
 * equal.
 */
public final class ConstraintKind implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9.-]{0,31}");
    /** Names of service properties. The dot separates them from the facts that the broker derives or chooses. */
    private static final Pattern FACT = Pattern.compile("[A-Za-z][A-Za-z0-9_-]{0,63}(\\.[A-Za-z0-9_-]{1,64}){1,7}");
    /** The fact that the broker chooses: the size of the buffer. */
    static final String SIZE = "size";
    /** A fact derived from several properties: cached, uncached or none. */
    static final String CPU_ACCESS = "cpu";

    /** Physical addresses that the device reaches: a range within which {@code heap.address} must be. */
    public static final ConstraintKind ADDRESS = new ConstraintKind("address", Operator.RANGE, "heap.address");
    /** Entries of the device's scatter list, and the most bytes of an entry. */
    public static final ConstraintKind SG = new ConstraintKind("sg", Operator.LISTS, "sg");
    /** Alignment in bytes, a power of two. The request's alignment is raised to it. */
    public static final ConstraintKind ALIGNMENT =
            new ConstraintKind("alignment", Operator.MULTIPLE, HeapProperties.ALIGNMENT);
    /** Bytes, a power of two, whose multiples an entry of the device's scatter list must not cross. */
    public static final ConstraintKind BOUNDARY =
            new ConstraintKind("boundary", Operator.AT_MOST, HeapProperties.SG_ENTRY);
    /** Least size of the buffer in bytes. A smaller request is enlarged. */
    public static final ConstraintKind SIZE_MIN = new ConstraintKind("size.min", Operator.AT_LEAST, SIZE);
    /** Largest size of the buffer in bytes. */
    public static final ConstraintKind SIZE_MAX = new ConstraintKind("size.max", Operator.AT_MOST, SIZE);
    /** Bytes of which the requested size is a multiple. The request is rounded up. */
    public static final ConstraintKind GRANULE = new ConstraintKind("granule", Operator.MULTIPLE, SIZE);
    /** Number of buffers that the device holds at a time. The numbers of several devices are added. */
    public static final ConstraintKind BUFFERS = new ConstraintKind("buffers", Operator.AT_LEAST, "buffers");
    /** Access of the CPU: {@code cached}, {@code uncached}, {@code none}. */
    public static final ConstraintKind CPU =
            new ConstraintKind("cpu", Operator.ONE_OF, CPU_ACCESS, Set.of("cached", "uncached", "none"));
    /** Memory nodes that hold the buffer. */
    public static final ConstraintKind NUMA = new ConstraintKind("numa", Operator.ONE_OF, HeapProperties.NUMA);
    /** Names of heaps: the device uses memory that is set aside for it. */
    public static final ConstraintKind HEAP = new ConstraintKind("heap", Operator.ONE_OF, HeapProperties.NAME);
    /** Names of heaps whose memory the device refused, or of which the kernel makes copies for it. */
    public static final ConstraintKind NOT_HEAP = new ConstraintKind("not-heap", Operator.NONE_OF, HeapProperties.NAME);
    /** The device imports the descriptor, which must be a dma-buf. */
    public static final ConstraintKind DMABUF = new ConstraintKind("dmabuf", Operator.MUST, HeapProperties.DMABUF);
    /** The hardware keeps the CPU out of the memory. */
    public static final ConstraintKind PROTECTED =
            new ConstraintKind("protected", Operator.MUST, HeapProperties.PROTECTED);
    /** The descriptor permits no writes. */
    public static final ConstraintKind READONLY =
            new ConstraintKind("readonly", Operator.MUST, HeapProperties.EXPORT_READONLY);
    /** The CPU maps the buffer. */
    public static final ConstraintKind MAPPABLE =
            new ConstraintKind("mappable", Operator.MUST, HeapProperties.MAPPABLE);

    private static final Map<String, ConstraintKind> STANDARD = Stream.of(
                    ADDRESS, SG, ALIGNMENT, BOUNDARY, SIZE_MIN, SIZE_MAX, GRANULE, BUFFERS, CPU, NUMA, HEAP, NOT_HEAP,
                    DMABUF, PROTECTED, READONLY, MAPPABLE)
            .collect(Collectors.toUnmodifiableMap(kind -> kind.name, Function.identity()));

    /** Operators that a vendor can choose. */
    private static final List<Operator> OFFERED = Arrays.stream(Operator.values())
            .filter(operator -> operator != Operator.LISTS && operator != Operator.UNKNOWN)
            .toList();

    private final String name;
    private final Operator operator;
    private final String fact;
    /** The permitted words; empty if all are permitted. */
    @SuppressWarnings("serial") // an immutable set
    private final Set<String> words;

    private ConstraintKind(String name, Operator operator, String fact) {
        this(name, operator, fact, Set.of());
    }

    private ConstraintKind(String name, Operator operator, String fact, Set<String> words) {
        this.name = name;
        this.operator = operator;
        this.fact = fact;
        this.words = words;
    }

    /**
     * Returns a kind whose values are ranges. The heap's range is in two properties of type Long, {@code FACT.min} and
     * {@code FACT.max}, which are both included.
     *
     * @param name a lower-case word
     * @param fact the first part of the names of both service properties, such as {@code acme.window}
     * @return a kind
     * @throws IllegalArgumentException for another name or fact, or the name of a different standard kind
     */
    public static ConstraintKind range(String name, String fact) {
        return of(name, Operator.RANGE, fact);
    }

    /**
     * Returns a kind whose values are numbers of which the heap's number must be a multiple.
     *
     * @param name a lower-case word
     * @param fact the name of a service property of type Integer or Long, with a dot in it
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind multiple(String name, String fact) {
        return of(name, Operator.MULTIPLE, fact);
    }

    /**
     * Returns a kind whose values are upper bounds of the heap's number.
     *
     * @param name a lower-case word
     * @param fact the name of a service property of type Integer or Long, with a dot in it
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind atMost(String name, String fact) {
        return of(name, Operator.AT_MOST, fact);
    }

    /**
     * Returns a kind whose values are lower bounds of the heap's number.
     *
     * @param name a lower-case word
     * @param fact the name of a service property of type Integer or Long, with a dot in it
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind atLeast(String name, String fact) {
        return of(name, Operator.AT_LEAST, fact);
    }

    /**
     * Returns a kind whose values are sets of words. If the heap has several words, all of them must be in the set.
     *
     * @param name a lower-case word
     * @param fact the name of a service property with a dot in it: a String or an integral number, or several of them
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind oneOf(String name, String fact) {
        return of(name, Operator.ONE_OF, fact);
    }

    /**
     * Returns a kind whose values are sets of excluded words. A heap without any word meets none of them.
     *
     * @param name a lower-case word
     * @param fact the name of a service property with a dot in it: a String or an integral number, or several of them
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind noneOf(String name, String fact) {
        return of(name, Operator.NONE_OF, fact);
    }

    /**
     * Returns a kind whose value is that the heap must have a property.
     *
     * @param name a lower-case word
     * @param fact the name of a service property of type Boolean, with a dot in it
     * @return a kind
     * @throws IllegalArgumentException as {@link #range}
     */
    public static ConstraintKind must(String name, String fact) {
        return of(name, Operator.MUST, fact);
    }

    /**
     * Returns a standard kind, or a kind whose values no heap meets. A demand of an unknown kind is kept, because
     * without it a heap could be chosen that the device cannot use.
     *
     * @param name a lower-case word
     * @return a kind
     * @throws IllegalArgumentException for another name
     */
    public static ConstraintKind named(String name) {
        requireName(name);
        ConstraintKind standard = STANDARD.get(name);
        return standard == null ? new ConstraintKind(name, Operator.UNKNOWN, "") : standard;
    }

    /**
     * Parses the declaration of a kind.
     *
     * @param text {@code NAME OPERATOR FACT}, as {@link #toString()} returns it
     * @return a kind
     * @throws IllegalArgumentException for another text
     */
    public static ConstraintKind parse(String text) {
        Objects.requireNonNull(text, "invalid kind = null: expected NAME OPERATOR FACT");
        String[] parts = text.strip().split("\\s+");
        for (Operator operator : OFFERED) {
            if (parts.length == 3 && parts[1].equals(operator.toString())) {
                return of(parts[0], operator, parts[2]);
            }
        }
        throw new IllegalArgumentException("invalid kind = '" + Numbers.printable(text)
                + "': expected NAME OPERATOR FACT, with one of the operators "
                + OFFERED.stream().map(Operator::toString).collect(joining(", ")));
    }

    private static ConstraintKind of(String name, Operator operator, String fact) {
        requireName(name);
        Objects.requireNonNull(fact, "invalid fact = null: expected the name of a service property");
        if (!FACT.matcher(fact).matches()) {
            throw new IllegalArgumentException("invalid fact = '" + Numbers.printable(fact)
                    + "': expected the name of a service property with a dot in it");
        }
        ConstraintKind kind = new ConstraintKind(name, operator, fact);
        ConstraintKind standard = STANDARD.get(name);
        if (standard != null && !standard.equals(kind)) {
            throw new IllegalArgumentException(
                    "invalid kind = '" + kind + "': expected another name, because '" + name + "' is a standard kind");
        }
        return standard == null ? kind : standard;
    }

    private static void requireName(String name) {
        Objects.requireNonNull(name, "invalid kind = null: expected a lower-case word");
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("invalid kind = '" + Numbers.printable(name)
                    + "': expected a lower-case word of at most 32 letters, digits, dots and hyphens");
        }
    }

    /** {@return its name} */
    public String name() {
        return name;
    }

    /** {@return whether it is a kind that {@link #named} did not find among the standard kinds} */
    public boolean isUnknown() {
        return operator == Operator.UNKNOWN;
    }

    Operator operator() {
        return operator;
    }

    String fact() {
        return fact;
    }

    /** {@return the form of its values, for messages} */
    String form() {
        if (name.equals("boundary")) {
            return "a power of two";
        }
        return words.isEmpty() ? operator.form() : operator.form() + ": " + String.join(", ", new TreeSet<>(words));
    }

    boolean permits(String word) {
        return words.isEmpty() || words.contains(word);
    }

    @Override
    public boolean equals(Object other) {
        return other == this
                || other instanceof ConstraintKind kind
                        && name.equals(kind.name)
                        && operator == kind.operator
                        && fact.equals(kind.fact);
    }

    @Override
    public int hashCode() {
        return name.hashCode();
    }

    /** {@return its declaration, {@code NAME OPERATOR FACT}} */
    @Override
    public String toString() {
        return (name + " " + operator + " " + fact).strip();
    }
}
