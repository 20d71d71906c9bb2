// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.List;

/** Formatter of rows as tables of Markdown, one for each list of contenders. */
final class Table {
    private Table() {}

    static String of(List<Row> rows) {
        StringBuilder text = new StringBuilder();
        List<String> contenders = List.of();
        for (Row row : rows) {
            if (!row.contenders().equals(contenders)) {
                contenders = row.contenders();
                text.append(text.isEmpty() ? "" : "\n")
                        .append("| | ")
                        .append(String.join(" | ", contenders))
                        .append(" |\n|---|")
                        .append("---:|".repeat(contenders.size()))
                        .append("\n");
            }
            text.append("| ").append(row.name()).append(" |");
            row.series()
                    .forEach(series ->
                            text.append(" ").append(cell(series.quantiles())).append(" |"));
            text.append("\n");
        }
        return text.toString();
    }

    private static String cell(Quantiles spread) {
        return Time.text(spread.median()) + " (" + Time.text(spread.p10()) + " to " + Time.text(spread.p90()) + ")";
    }
}
