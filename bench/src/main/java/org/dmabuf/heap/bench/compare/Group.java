// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.util.List;

/** Part of the comparison that can be measured alone. */
public interface Group {
    /** {@return the name on the command line} */
    String name();

    /** {@return sentences for the table: the measured operations, and their conditions} */
    String note();

    /** {@return rows; none if this machine lacks a prerequisite that the note names} */
    List<Row> measure(Rounds rounds) throws IOException;

    /** {@return whether a row compares equal work; the note explains one that does not} */
    default boolean isInChart(Row row) {
        return true;
    }

    /** {@return a sentence that follows from the rows, or an empty text} */
    default String conclusion(List<Row> rows) {
        return "";
    }
}
