// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import aQute.bnd.service.diff.Diff;
import aQute.bnd.service.diff.Type;
import aQute.bnd.version.Version;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Comparison of a jar with the kept one of the last release. */
final class Comparison {
    private final Breaks breaks;

    Comparison(Breaks breaks) {
        this.breaks = breaks;
    }

    /** {@return a message for each unlisted break, and for each package with a wrong version} */
    List<String> problems(ExportedPackages kept, ExportedPackages now) {
        List<String> problems = new ArrayList<>();
        for (Diff pack : now.api().diff(kept.api()).getChildren()) {
            String name = pack.getName();
            Version before = kept.versions().get(name);
            if (pack.getType() == Type.PACKAGE && before != null) {
                Version after = now.versions().get(name);
                List<Change> changes = after == null ? List.of(Change.removed(name)) : Change.in(pack);
                problems.addAll(unlistedBreaks(changes, before));
                if (after != null) {
                    problems.addAll(wrongVersion(changes, name, before, after));
                }
            }
        }
        return problems;
    }

    private List<String> unlistedBreaks(List<Change> changes, Version kept) {
        return changes.stream()
                .filter(Change::isBreak)
                .filter(change -> !breaks.allow(change))
                .map(change -> change + ", which breaks bundles compiled against " + kept
                        + "; restore it, or add a line to breaks.txt: " + change.place() + ": REASON")
                .toList();
    }

    private static List<String> wrongVersion(List<Change> changes, String pack, Version kept, Version now) {
        Version due = changes.stream()
                .map(Change::bump)
                .max(Comparator.naturalOrder())
                .orElse(Bump.NONE)
                .after(kept);
        return now.getWithoutQualifier().equals(due)
                ? List.of()
                : List.of("package " + pack + " has version " + now + ", and since " + kept + " " + summary(changes)
                        + "; set @Version(\"" + due + "\") in its package-info.java");
    }

    private static String summary(List<Change> changes) {
        return changes.isEmpty()
                ? "nothing was changed"
                : changes.stream().map(Change::toString).collect(Collectors.joining(", "));
    }
}
