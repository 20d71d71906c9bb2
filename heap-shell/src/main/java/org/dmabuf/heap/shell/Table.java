// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dmabuf.heap.linux.text.Printable;

/** Text in aligned columns, for a terminal. */
final class Table {
    private static final String GAP = "  ";

    private final List<String[]> rows = new ArrayList<>();
    private final boolean[] right;

    /**
     * A table with a line of headings.
     *
     * @param headings one for each column; one that ends in a blank is a column of numbers, aligned to the right
     */
    Table(String... headings) {
        this(new boolean[headings.length]);
        String[] first = new String[headings.length];
        for (int i = 0; i < headings.length; i++) {
            right[i] = headings[i].endsWith(" ");
            first[i] = headings[i].strip();
        }
        rows.add(first);
    }

    private Table(boolean[] right) {
        this.right = right;
    }

    /**
     * A table without headings.
     *
     * @param numbers for each column whether it is of numbers, aligned to the right
     * @return an empty table
     */
    static Table withoutHeadings(boolean... numbers) {
        return new Table(numbers.clone());
    }

    /** Adds a line. What does not print in a cell is escaped. */
    Table row(String... cells) {
        if (cells.length != right.length) {
            throw new IllegalArgumentException(cells.length + " cells for " + right.length + " columns");
        }
        rows.add(Arrays.stream(cells).map(Printable::of).toArray(String[]::new));
        return this;
    }

    @Override
    public String toString() {
        int[] widths = new int[right.length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                String pad = " ".repeat(widths[i] - row[i].length());
                line.append(i == 0 ? "" : GAP).append(right[i] ? pad + row[i] : row[i] + pad);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString().stripTrailing();
    }
}
