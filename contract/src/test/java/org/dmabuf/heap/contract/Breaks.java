// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Checked-in list of the intended breaks: lines {@code PLACE: REASON}. */
final class Breaks {
    private final Set<String> listed = new HashSet<>();
    private final Set<String> met = new HashSet<>();
    private final List<String> wrong = new ArrayList<>();

    Breaks(List<String> lines) {
        for (String line : lines) {
            if (!line.isBlank() && !line.startsWith("#")) {
                String[] parts = line.split(": *", 2);
                if (parts.length < 2 || parts[1].isBlank()) {
                    wrong.add("invalid line '" + line + "' in breaks.txt: expected PACKAGE CLASS MEMBER: REASON");
                } else if (!listed.add(parts[0])) {
                    wrong.add("two lines '" + parts[0] + "' in breaks.txt: remove one");
                }
            }
        }
    }

    boolean allow(Change change) {
        met.add(change.place());
        return listed.contains(change.place());
    }

    /** {@return the problems of the list, after all breaks were looked up} */
    List<String> problems() {
        List<String> problems = new ArrayList<>(wrong);
        listed.stream()
                .filter(place -> !met.contains(place))
                .sorted()
                .map(place -> "stale line '" + place + "' in breaks.txt: there is no such break; remove the line")
                .forEach(problems::add);
        return problems;
    }
}
