// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.io.Serializable;
import java.util.Collection;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Value of a demand: a set of permitted memories, with the operations of its kind's operator. For all values of a kind,
 * {@link #merge} is commutative, associative and idempotent, and {@code any} is its neutral element. A heap meets a
 * merged value exactly if it meets each of the values.
 */
public abstract class ConstraintValue implements Serializable {
    private static final long serialVersionUID = 1L;
    /** The text of the value that demands nothing. */
    static final String ANY = "any";

    private final ConstraintKind kind;

    ConstraintValue(ConstraintKind kind) {
        this.kind = kind;
    }

    /**
     * Parses a value.
     *
     * @param kind its kind
     * @param text in the form of the kind's operator
     * @return a value
     * @throws IllegalArgumentException for another form
     */
    public static ConstraintValue parse(ConstraintKind kind, String text) {
        Objects.requireNonNull(kind, "invalid kind = null: expected a ConstraintKind");
        Objects.requireNonNull(text, () -> "invalid " + kind.name() + " = null: expected " + kind.form());
        try {
            return kind.operator().parse(kind, text);
        } catch (IllegalArgumentException e) { // of a parser, which states no reason
            throw new IllegalArgumentException("invalid " + kind.name() + " = '" + Numbers.printable(text)
                    + "': expected " + kind.form() + ", or any");
        }
    }

    /**
     * Returns a value that has words, which can contain any character.
     *
     * @param kind a kind of the operator {@code one-of} or {@code none-of}
     * @param words at least one word
     * @return a value
     * @throws IllegalArgumentException for another kind, or a word that is empty, too long or not permitted
     */
    public static ConstraintValue ofWords(ConstraintKind kind, Collection<String> words) {
        Objects.requireNonNull(kind, "invalid kind = null: expected a ConstraintKind");
        return parse(kind, words.stream().map(Words::text).collect(Collectors.joining(",")));
    }

    /** {@return its kind} */
    public final ConstraintKind kind() {
        return kind;
    }

    /**
     * Returns the value that a memory meets exactly if it meets both values.
     *
     * @param other a value of the same kind
     * @return the value; empty if no memory could meet both
     * @throws IllegalArgumentException for a value of another kind
     */
    public final Optional<ConstraintValue> merge(ConstraintValue other) {
        if (!other.kind.equals(kind)) {
            throw new IllegalArgumentException(
                    "invalid value of kind '" + other.kind + "': expected a value of kind '" + kind + "'");
        }
        return Optional.ofNullable(and(other));
    }

    /** {@return the conjunction, or null if no memory could meet both} */
    abstract ConstraintValue and(ConstraintValue other);

    /**
     * Returns whether every buffer of a heap meets this value. A property that the heap does not announce, and that has
     * no default in {@link org.dmabuf.heap.HeapProperties}, meets only {@code any}.
     *
     * @param facts the heap's facts
     * @param size the requested bytes, from which {@link HeapFacts#sizeOf} follows
     * @return whether it meets this value
     */
    public final boolean isMetBy(HeapFacts facts, long size) {
        return isAny() || metBy(facts, size);
    }

    abstract boolean metBy(HeapFacts facts, long size);

    /** {@return whether it demands nothing} */
    public abstract boolean isAny();

    /**
     * {@return the number of a value of {@code multiple}, {@code at-most} or {@code at-least}, empty for other
     * operators}
     */
    public OptionalLong number() {
        return OptionalLong.empty();
    }

    /**
     * {@return the words of a value of {@code one-of} or {@code none-of}; empty for other operators, and for a value
     * that demands nothing}
     */
    public Set<String> words() {
        return Set.of();
    }

    /** Reads the number with which a value of this kind is compared. The size of the buffer counts as a fact. */
    final OptionalLong fact(HeapFacts facts, long size) {
        return kind.fact().equals(ConstraintKind.SIZE) ? OptionalLong.of(size) : facts.number(kind.fact());
    }

    @Override
    public final boolean equals(Object other) {
        return other == this
                || other instanceof ConstraintValue value && kind.equals(value.kind) && text().equals(value.text());
    }

    @Override
    public final int hashCode() {
        return text().hashCode();
    }

    abstract String text();

    /** {@return its canonical text: equal values have equal texts} */
    @Override
    public final String toString() {
        return isAny() ? ANY : text();
    }
}
