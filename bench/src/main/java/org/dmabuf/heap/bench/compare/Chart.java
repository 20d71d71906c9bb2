// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.List;
import java.util.Locale;

/**
 * Picture of rows with equal contenders, as SVG: medians on a logarithmic axis, with lines from p10 to p90. It has a
 * background of its own, so that it is legible on pages of any colour.
 */
final class Chart {
    private static final List<String> COLOURS = List.of(
            "#1f77b4", "#17becf", "#2ca02c", "#8c9a1e", "#9467bd", "#888888", "#d62728", "#e377c2", "#ff7f0e",
            "#a0622d");
    private static final int WIDTH = 880;
    private static final int LEFT = 70;
    private static final int RIGHT = 20;
    private static final int PLOT = 340;
    private static final int LEGEND_COLUMNS = 5;
    private static final int LEGEND_LINE = 18;

    private final StringBuilder svg = new StringBuilder();
    private int bottom;

    /** {@return a picture of some panels, one below the other} */
    static String of(List<Panel> panels) {
        Chart chart = new Chart();
        panels.forEach(chart::add);
        return """
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %1$d %2$d" font-family="sans-serif" font-size="12">
                <style>
                .page{fill:#fff} .text{fill:#222} .line{stroke:#ccc}
                @media (prefers-color-scheme: dark){.page{fill:#15191e} .text{fill:#ddd} .line{stroke:#444}}
                </style>
                <rect class="page" width="%1$d" height="%2$d"/>
                """.formatted(WIDTH, chart.bottom) + chart.svg + "</svg>\n";
    }

    /**
     * Part of a picture.
     *
     * @param title above it
     * @param rows with equal contenders, at least one
     */
    record Panel(String title, List<Row> rows) {}

    private void add(Panel panel) {
        List<Row> rows = panel.rows();
        List<String> contenders = rows.getFirst().contenders();
        int top = bottom + 24;
        text(LEFT, top, "start", panel.title());
        for (int c = 0; c < contenders.size(); c++) {
            int x = LEFT + c % LEGEND_COLUMNS * 160;
            top = bottom + 24 + LEGEND_LINE * (1 + c / LEGEND_COLUMNS);
            mark(c, x + 4, top - 4);
            text(x + 14, top, "start", contenders.get(c));
        }
        top += 16;
        int least = (int) Math.floor(Math.log10(rows.stream()
                .flatMap(row -> row.series().stream())
                .mapToDouble(series -> series.quantiles().p10())
                .min()
                .orElseThrow()));
        int most = (int) Math.ceil(Math.log10(rows.stream()
                .flatMap(row -> row.series().stream())
                .mapToDouble(series -> series.quantiles().p90())
                .max()
                .orElseThrow()));
        for (int power = least; power <= most; power++) {
            double y = y(Math.pow(10, power), least, most, top);
            add("<path class='line' d='M%d %.1fH%d'/>", LEFT, y, WIDTH - RIGHT);
            text(LEFT - 8, y + 4, "end", label(power));
        }
        double column = (double) (WIDTH - LEFT - RIGHT) / rows.size();
        for (int r = 0; r < rows.size(); r++) {
            double left = LEFT + r * column;
            text(left + column / 2, top + PLOT + 18, "middle", rows.get(r).name());
            if (r > 0) {
                add("<path class='line' d='M%.1f %dv%d'/>", left, top, PLOT);
            }
            for (int c = 0; c < contenders.size(); c++) {
                Quantiles spread = rows.get(r).series().get(c).quantiles();
                double x = left + column * (c + 1) / (contenders.size() + 1);
                add(
                        "<path stroke='%s' stroke-width='2' d='M%.1f %.1fV%.1f'/>",
                        colour(c), x, y(spread.p10(), least, most, top), y(spread.p90(), least, most, top));
                mark(c, x, y(spread.median(), least, most, top));
            }
        }
        bottom = top + PLOT + 34;
    }

    private static double y(double nanos, int least, int most, int top) {
        return top + PLOT * (most - Math.log10(nanos)) / (most - least);
    }

    private static String label(int power) {
        return List.of("1", "10", "100").get(Math.floorMod(power, 3))
                + List.of(" ns", " us", " ms", " s").get(Math.floorDiv(power, 3));
    }

    private static String colour(int contender) {
        return COLOURS.get(contender % COLOURS.size());
    }

    /** Draws a disc for the first half of the contenders, and a square for the others. */
    private void mark(int contender, double x, double y) {
        if (contender < COLOURS.size() / 2) {
            add("<circle cx='%.1f' cy='%.1f' r='4' fill='%s'/>", x, y, colour(contender));
        } else {
            add("<rect x='%.1f' y='%.1f' width='7' height='7' fill='%s'/>", x - 3.5, y - 3.5, colour(contender));
        }
    }

    private void text(double x, double y, String anchor, String text) {
        add("<text class='text' x='%.1f' y='%.1f' text-anchor='%s'>%s</text>", x, y, anchor, text);
    }

    private void add(String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
