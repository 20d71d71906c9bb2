// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import static aQute.bnd.service.diff.Delta.ADDED;
import static aQute.bnd.service.diff.Delta.REMOVED;

import aQute.bnd.service.diff.Diff;
import aQute.bnd.service.diff.Tree;
import aQute.bnd.service.diff.Type;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Change of one exported class or member, as bnd found it.
 *
 * @param place package, class and member, with blanks between
 * @param kind such as {@code was added}
 * @param bump the part of the package's version that it raises
 */
record Change(String place, String kind, Bump bump) {
    private static final String PROVIDER_TYPE = "org.osgi.annotation.versioning.ProviderType";
    private static final Set<Type> TYPES = EnumSet.of(Type.CLASS, Type.INTERFACE, Type.ENUM, Type.ANNOTATION);
    /** Kinds of elements whose value the compiler copies into the classes that use them, and bnd into components. */
    private static final Set<Type> VALUES = EnumSet.of(Type.CONSTANT, Type.DEFAULT);

    /** {@return the removal of a whole package} */
    static Change removed(String pack) {
        return new Change(pack, "was removed", Bump.MAJOR);
    }

    /** {@return the changes of a package that still exists} */
    static List<Change> in(Diff pack) {
        List<Change> changes = new ArrayList<>();
        for (Diff type : pack.getChildren()) {
            if (TYPES.contains(type.getType())) {
                String place = pack.getName() + " "
                        + type.getName().substring(pack.getName().length() + 1);
                if (type.getDelta() == ADDED || type.getDelta() == REMOVED) {
                    changes.add(new Change(place, kind(type), Bump.of(type.getDelta())));
                } else {
                    type.getChildren().stream()
                            .map(member -> new Change(place + " " + member.getName(), kind(member), bump(type, member)))
                            .forEach(changes::add);
                }
            }
        }
        changes.removeIf(change -> change.bump == Bump.NONE);
        return changes;
    }

    boolean isBreak() {
        return bump == Bump.MAJOR;
    }

    @Override
    public String toString() {
        return place + " " + kind;
    }

    private static String kind(Diff diff) {
        return switch (diff.getDelta()) {
            case ADDED -> "was added";
            case REMOVED -> "was removed";
            default -> "was changed (" + details(diff) + ")";
        };
    }

    private static String details(Diff member) {
        return member.getChildren().stream()
                .filter(child -> Bump.of(child.getDelta()) != Bump.NONE)
                .sorted(Comparator.comparing(Diff::getDelta)) // what it was, then what it is
                .map(child -> (child.getDelta() == REMOVED ? "-" : "+") + child.getName())
                .collect(Collectors.joining(", "));
    }

    private static Bump bump(Diff type, Diff member) {
        return switch (member.getDelta()) {
            case ADDED ->
                isDueFromOthers(type, member.getNewer())
                        ? Bump.MAJOR
                        : Bump.of(member.getNewer().ifAdded());
            case REMOVED -> Bump.of(member.getOlder().ifRemoved());
            default -> losesItsValue(member) ? Bump.MAJOR : Bump.of(member.getDelta());
        };
    }

    /**
     * Returns whether classes or annotations of other bundles lack the method. bnd treats an abstract method as
     * harmless if the interface also has a default method.
     */
    private static boolean isDueFromOthers(Diff type, Tree member) {
        return member.get("abstract") != null
                && type.getOlder().get(PROVIDER_TYPE) == null
                && Stream.of(member.getChildren()).noneMatch(child -> child.getType() == Type.DEFAULT);
    }

    private static boolean losesItsValue(Diff member) {
        return member.getChildren().stream()
                .anyMatch(child -> VALUES.contains(child.getType()) && child.getDelta() == REMOVED);
    }
}
