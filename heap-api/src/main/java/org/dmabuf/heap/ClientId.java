// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.io.Serializable;
import java.util.Comparator;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Identity of a client to which memory is charged. The client is a bundle, or a client outside the framework for which
 * a bundle has opened a {@link ClientView}. Immutable. Two identities with the same kind, name and location are equal.
 */
public final class ClientId implements Comparable<ClientId>, Serializable {
    private static final long serialVersionUID = 1L;

    /** The {@link #kind()} of a bundle. */
    public static final String BUNDLE = "bundle";

    private static final Pattern KIND = Pattern.compile("[a-z][a-z0-9]{0,15}");
    private static final int LONGEST_NAME = 128;
    private static final Comparator<ClientId> ORDER = Comparator.comparing(ClientId::toString)
            .thenComparing(id -> id.kind)
            .thenComparing(id -> id.place);

    private final String kind;
    private final String name;
    /** Location of a bundle, empty for any other kind. */
    private final String place;

    private ClientId(String kind, String name, String place) {
        this.kind = kind;
        this.name = name;
        this.place = place;
    }

    /**
     * Returns the identity of a bundle.
     *
     * @param symbolicName {@code Bundle-SymbolicName}, empty for a bundle with manifest version 1, which has no
     *     symbolic name
     * @param location the location from which the bundle was installed
     * @return an identity of the kind {@link #BUNDLE}
     */
    public static ClientId ofBundle(String symbolicName, String location) {
        Objects.requireNonNull(symbolicName, "invalid symbolicName = null: expected a text");
        Objects.requireNonNull(location, "invalid location = null: expected a text");
        return new ClientId(BUNDLE, symbolicName.isEmpty() ? "@" + location : symbolicName, location);
    }

    /**
     * Returns the identity of a client outside the framework.
     *
     * @param kind the kind of the name, such as {@code uid} or {@code container}: a lower-case word of at most 16
     *     letters and digits, not {@link #BUNDLE}
     * @param name 1 to 128 visible characters, such as {@code 1000}
     * @return an identity
     * @throws IllegalArgumentException for another kind or name
     */
    public static ClientId of(String kind, String name) {
        Objects.requireNonNull(kind, "invalid kind = null: expected a word");
        Objects.requireNonNull(name, "invalid name = null: expected a text");
        if (!KIND.matcher(kind).matches() || kind.equals(BUNDLE)) {
            throw new IllegalArgumentException("invalid kind = '" + RequestChecks.printable(kind)
                    + "': expected a lower-case word such as uid, and not '" + BUNDLE + "'");
        }
        boolean visible = name.codePoints().noneMatch(c -> Character.isISOControl(c) || Character.isWhitespace(c));
        if (name.isEmpty() || name.length() > LONGEST_NAME || !visible) {
            throw new IllegalArgumentException("invalid name = '" + RequestChecks.printable(name) + "': expected 1 to "
                    + LONGEST_NAME + " visible characters");
        }
        return new ClientId(kind, name, "");
    }

    /** {@return {@link #BUNDLE}, or the kind of a client outside the framework} */
    public String kind() {
        return kind;
    }

    /**
     * {@return the symbolic name of a bundle, or {@code @LOCATION} for a bundle without one; otherwise the name within
     * its kind}
     */
    public String name() {
        return name;
    }

    /** {@return location of a bundle, empty for a client outside the framework} */
    public Optional<String> location() {
        return isBundle() ? Optional.of(place) : Optional.empty();
    }

    /** {@return whether it is a bundle} */
    public boolean isBundle() {
        return kind.equals(BUNDLE);
    }

    /** Compares the texts of {@link #toString()}, then the locations. */
    @Override
    public int compareTo(ClientId other) {
        return ORDER.compare(this, other);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ClientId id && kind.equals(id.kind) && name.equals(id.name) && place.equals(id.place);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * kind.hashCode() + name.hashCode()) + place.hashCode(); // makes no garbage
    }

    /** {@return the symbolic name of a bundle, {@code KIND:NAME} for any other client} */
    @Override
    public String toString() {
        return isBundle() ? name : kind + ":" + name;
    }
}
