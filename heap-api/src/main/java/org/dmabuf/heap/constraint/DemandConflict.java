// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import static java.util.stream.Collectors.joining;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Smallest set of demands that no heap meets together: without any one of them, the others could be met. It often has
 * two demands, but can have one, or more than two of which no two are in conflict.
 */
public final class DemandConflict implements Serializable {
    private static final long serialVersionUID = 1L;

    private final boolean contradiction;
    private final Demand[] demands;
    private final String[][] remedies;

    private DemandConflict(boolean contradiction, Demand[] demands, String[][] remedies) {
        this.contradiction = contradiction;
        this.demands = demands;
        this.remedies = remedies;
    }

    /**
     * Returns a conflict.
     *
     * @param contradiction whether no heap at all could meet the demands, present or not
     * @param demands the demands, at least one
     * @param remedies for each demand, the names of the heaps that would serve if this demand alone were dropped
     * @return a conflict
     * @throws IllegalArgumentException for no demands, or another number of remedies
     */
    public static DemandConflict of(boolean contradiction, List<Demand> demands, List<List<String>> remedies) {
        if (demands.isEmpty() || remedies.size() != demands.size()) {
            throw new IllegalArgumentException("invalid conflict of " + demands.size() + " demands and "
                    + remedies.size() + " remedies: expected one or more demands, and a remedy for each");
        }
        return new DemandConflict(
                contradiction,
                demands.toArray(Demand[]::new),
                remedies.stream().map(heaps -> heaps.toArray(String[]::new)).toArray(String[][]::new));
    }

    /** {@return true if no heap could ever meet the demands, false if no heap that is present does} */
    public boolean isContradiction() {
        return contradiction;
    }

    /** {@return the demands} */
    public List<Demand> demands() {
        return List.of(demands);
    }

    /**
     * Returns the heaps that would serve if one demand were dropped.
     *
     * @param demand one of {@link #demands()}
     * @return names of heaps in the order in which they would be asked; empty if other demands are in conflict, too
     * @throws IllegalArgumentException for another demand
     */
    public List<String> servingWithout(Demand demand) {
        int index = demands().indexOf(demand);
        if (index < 0) {
            throw new IllegalArgumentException("invalid demand = '" + demand + "': expected one of " + demands());
        }
        return List.of(remedies[index]);
    }

    /** {@return the conflict and its remedies as one line for a person} */
    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        parts.add((contradiction ? "no heap can meet " : "no serving heap meets ")
                + demands().stream().map(DemandConflict::text).collect(joining(" and ")));
        for (int i = 0; i < demands.length; i++) {
            String without = demands.length == 1
                    ? "without it"
                    : "without " + demands[i].kind().name() + " of " + demands[i].who();
            parts.add(without + ": "
                    + (remedies[i].length == 0 ? "no serving heap either" : String.join(", ", remedies[i])));
        }
        return String.join("; ", parts);
    }

    private static String text(Demand demand) {
        return demand.kind().name() + "=" + demand.value() + " of " + demand.who()
                + (demand.why().isEmpty() ? "" : " (" + demand.why() + ")");
    }
}
