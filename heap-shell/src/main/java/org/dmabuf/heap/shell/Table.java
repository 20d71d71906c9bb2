// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dmabuf.heap.linux.text.Printable;

/** Table of aligned columns for a terminal. */
final class Table {
    /** Line width in characters of every table that is not wide. */
    static final int WIDTH = 80;

    private static final String GAP = "  ";
    private static final String CUT = "…";

    /** Least number of characters that remain of a shortened cell. */
    private static final int LEAST = 7;

    /** Names up to this length have other columns shortened, and longer ones get lines of their own. */
    private static final int TITLE = 16;

    private final List<String[]> rows = new ArrayList<>();
    private final boolean[] right;
    private final boolean[] flexible;
    private final boolean[] endOnly;
    private final int[] least;

    /**
     * Creates a table with a line of headings.
     *
     * @param headings one for each column. A heading that ends in a blank marks a column of numbers, aligned to the
     *     right. A heading that ends in … marks a column that {@link #within} shortens in its middle. A heading that
     *     begins with … marks one that it shortens at its beginning.
     */
    Table(String... headings) {
        this(headings.length);
        mark(headings);
        String[] first = Arrays.stream(headings).map(Table::withoutMark).toArray(String[]::new);
        for (int i = 0; i < first.length; i++) {
            least[i] = Math.max(LEAST, first[i].length());
        }
        rows.add(first);
    }

    private Table(int columns) {
        right = new boolean[columns];
        flexible = new boolean[columns];
        endOnly = new boolean[columns];
        least = new int[columns];
        Arrays.fill(least, LEAST);
    }

    /**
     * Creates a table without headings.
     *
     * @param numbers for each column, whether it has numbers and is aligned to the right
     * @return an empty table
     */
    static Table withoutHeadings(boolean... numbers) {
        Table table = new Table(numbers.length);
        System.arraycopy(numbers, 0, table.right, 0, numbers.length);
        return table;
    }

    /**
     * Creates a table without headings.
     *
     * @param headings headings with the marks described above; they are not printed
     * @return an empty table
     */
    static Table withoutHeadings(String... headings) {
        Table table = new Table(headings.length);
        table.mark(headings);
        return table;
    }

    private void mark(String... headings) {
        for (int i = 0; i < headings.length; i++) {
            right[i] = headings[i].endsWith(" ");
            endOnly[i] = headings[i].startsWith(CUT);
            flexible[i] = endOnly[i] || headings[i].endsWith(CUT);
        }
    }

    private static String withoutMark(String heading) {
        return heading.replace(CUT, "").strip();
    }

    /** Adds a line. Non-printing characters in a cell are escaped. */
    Table row(String... cells) {
        if (cells.length != right.length) {
            throw new IllegalArgumentException(cells.length + " cells for " + right.length + " columns");
        }
        rows.add(Arrays.stream(cells).map(Printable::of).toArray(String[]::new));
        return this;
    }

    /** {@return the table, with each cell in full} */
    @Override
    public String toString() {
        return text(widths());
    }

    /**
     * Formats the table with lines of bounded length. Only columns that are marked so are shortened, the widest first.
     *
     * @param width characters in a line
     * @return the table
     */
    String within(int width) {
        int[] widths = widths();
        shrink(widths, 0, width);
        return text(widths);
    }

    /**
     * Formats the table with lines of bounded length. If the first column's cell has no room, it gets a line of its own
     * above the rest of its row. The user types this name, so it stays whole. Other columns are shortened as by
     * {@link #within}.
     *
     * @param width characters in a line
     * @return the table
     */
    String titledWithin(int width) {
        int[] widths = widths();
        int[] shortest = widths.clone();
        shrink(shortest, 1, 0);
        int room = Math.max(roomForTitle(widths, width), Math.min(TITLE, roomForTitle(shortest, width)));
        widths[0] = rows.stream()
                .mapToInt(row -> row[0].length())
                .filter(length -> length <= room)
                .max()
                .orElse(0);
        shrink(widths, 1, width);
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            boolean fits = row[0].length() <= widths[0];
            text.append(fits ? "" : shortened(row[0], width, width / 2) + "\n");
            text.append(line(row, fits ? row[0] : "", widths));
        }
        return text.toString().stripTrailing();
    }

    private void shrink(int[] widths, int from, int width) {
        for (int over = total(widths) - width; over > 0; over--) {
            IntStream.range(from, widths.length)
                    .filter(column -> flexible[column] && widths[column] > least[column])
                    .reduce((one, other) -> widths[other] > widths[one] ? other : one)
                    .ifPresent(widest -> widths[widest]--);
        }
    }

    private static int roomForTitle(int[] widths, int width) {
        return width - total(widths) + widths[0];
    }

    private static int total(int[] widths) {
        return Arrays.stream(widths).sum() + GAP.length() * (widths.length - 1);
    }

    private int[] widths() {
        int[] widths = new int[right.length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        return widths;
    }

    private String text(int[] widths) {
        StringBuilder text = new StringBuilder();
        rows.forEach(row -> text.append(line(row, row[0], widths)));
        return text.toString().stripTrailing();
    }

    private String line(String[] row, String first, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < row.length; i++) {
            String cell = shortened(i == 0 ? first : row[i], widths[i], endOnly[i] ? 0 : widths[i] / 2);
            String pad = " ".repeat(widths[i] - cell.length());
            line.append(i == 0 ? "" : GAP).append(right[i] ? pad + cell : cell + pad);
        }
        return line.toString().stripTrailing() + "\n";
    }

    private static String shortened(String cell, int width, int head) {
        if (cell.length() <= width) {
            return cell;
        }
        int tail = cell.length() - (width - head - CUT.length());
        // Half of a surrogate pair would print as a question mark.
        return cell.substring(0, head > 0 && Character.isHighSurrogate(cell.charAt(head - 1)) ? head - 1 : head)
                + CUT
                + cell.substring(Character.isLowSurrogate(cell.charAt(tail)) ? tail + 1 : tail);
    }
}
