// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.io.Serializable;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Demand of a device or a client on the memory of a buffer, with the place where it was read. Two demands with the same
 * texts are equal.
 */
public final class Demand implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Pattern WHO = Pattern.compile("[\\S&&\\P{Cntrl}]{1,4096}");
    private static final Pattern WHY = Pattern.compile("\\P{Cntrl}*");

    private final String who;
    private final ConstraintValue value;
    private final String why;

    private Demand(String who, ConstraintValue value, String why) {
        this.who = who;
        this.value = value;
        this.why = why;
    }

    /**
     * Returns a demand.
     *
     * @param who the device or client, such as {@code /dev/video0}; without blanks
     * @param kind its kind
     * @param value its value, in the form of the kind
     * @param why where it was read, in one line; can be empty
     * @return a demand
     * @throws IllegalArgumentException for another form of an argument
     */
    public static Demand of(String who, ConstraintKind kind, String value, String why) {
        return of(who, ConstraintValue.parse(kind, value), why);
    }

    /**
     * Returns a demand.
     *
     * @param who the device or client; without blanks
     * @param value its value
     * @param why where it was read, in one line; can be empty
     * @return a demand
     * @throws IllegalArgumentException for another form of an argument
     */
    public static Demand of(String who, ConstraintValue value, String why) {
        Objects.requireNonNull(who, "invalid who = null: expected a device or a client");
        Objects.requireNonNull(value, "invalid value = null: expected a ConstraintValue");
        Objects.requireNonNull(why, "invalid why = null: expected a text");
        if (!WHO.matcher(who).matches()) {
            throw new IllegalArgumentException(
                    "invalid who = '" + Numbers.printable(who) + "': expected a device or a client, without blanks");
        }
        if (!WHY.matcher(why).matches()) {
            throw new IllegalArgumentException(
                    "invalid why = '" + Numbers.printable(why) + "': expected one line without control characters");
        }
        return new Demand(who, value, why.strip());
    }

    /**
     * Parses a demand of a standard kind.
     *
     * @param text {@code WHO KIND=VALUE [WHY]}, as {@link #toString()} returns it
     * @return a demand; its kind is unknown if it is not a standard kind
     * @throws IllegalArgumentException for another text
     */
    public static Demand parse(String text) {
        return parse(text, List.of());
    }

    /**
     * Parses a demand.
     *
     * @param text {@code WHO KIND=VALUE [WHY]}
     * @param kinds kinds that are known beside the standard kinds
     * @return a demand; its kind is unknown if it is neither one of these nor a standard kind
     * @throws IllegalArgumentException for another text
     */
    public static Demand parse(String text, Collection<ConstraintKind> kinds) {
        Objects.requireNonNull(text, "invalid demand = null: expected WHO KIND=VALUE [WHY]");
        String[] parts = text.strip().split("\\s+", 3);
        int equals = parts.length < 2 ? -1 : parts[1].indexOf('=');
        if (equals < 0) {
            throw new IllegalArgumentException(
                    "invalid demand = '" + Numbers.printable(text) + "': expected WHO KIND=VALUE [WHY]");
        }
        String name = parts[1].substring(0, equals);
        ConstraintKind kind = kinds.stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .orElseGet(() -> ConstraintKind.named(name));
        return of(parts[0], kind, parts[1].substring(equals + 1), parts.length < 3 ? "" : parts[2]);
    }

    /** {@return the device or client} */
    public String who() {
        return who;
    }

    /** {@return its kind} */
    public ConstraintKind kind() {
        return value.kind();
    }

    /** {@return its value} */
    public ConstraintValue value() {
        return value;
    }

    /** {@return where it was read, empty if that is not known} */
    public String why() {
        return why;
    }

    @Override
    public boolean equals(Object other) {
        return other == this
                || other instanceof Demand demand
                        && who.equals(demand.who)
                        && value.equals(demand.value)
                        && why.equals(demand.why);
    }

    @Override
    public int hashCode() {
        return 31 * who.hashCode() + value.hashCode();
    }

    /** {@return {@code WHO KIND=VALUE WHY}, which {@link #parse} reads} */
    @Override
    public String toString() {
        return (who + " " + kind().name() + "=" + value + " " + why).strip();
    }
}
