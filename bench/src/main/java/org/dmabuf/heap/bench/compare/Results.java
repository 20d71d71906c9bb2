// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** File of results as JSON, with one contender of a row in each line, to compare a later run with. */
final class Results {
    private static final Pattern LINE = Pattern.compile(
            "\\{\"group\": \"(.*?)\", \"row\": \"(.*?)\", \"contender\": \"(.*?)\", \"median\": ([0-9.]+),.*");

    /** Identity of a series. */
    private record Key(String group, String row, String contender) {}

    private final Map<Key, Double> medians;

    private Results(Map<Key, Double> medians) {
        this.medians = Map.copyOf(medians);
    }

    /** {@return the results as JSON; times are nanoseconds} */
    static String json(Map<String, String> machine, List<Row> rows) {
        List<String> facts = new ArrayList<>();
        machine.forEach((name, value) -> facts.add(quoted(name) + ": " + quoted(value)));
        List<String> lines = new ArrayList<>();
        for (Row row : rows) {
            for (Series series : row.series()) {
                Quantiles spread = series.quantiles();
                lines.add(String.format(
                        Locale.ROOT,
                        "{\"group\": %s, \"row\": %s, \"contender\": %s, \"median\": %.1f, \"p10\": %.1f,"
                                + " \"p90\": %.1f, \"n\": %d}",
                        quoted(row.group()),
                        quoted(row.name()),
                        quoted(series.contender()),
                        spread.median(),
                        spread.p10(),
                        spread.p90(),
                        spread.n()));
            }
        }
        return "{\"machine\": {" + String.join(", ", facts) + "},\n\"nanoseconds\": [\n" + String.join(",\n", lines)
                + "\n]}\n";
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    /** Reads a file that this class wrote. */
    static Results read(Path file) throws IOException {
        Map<Key, Double> medians = new HashMap<>();
        for (String line : Files.readAllLines(file)) {
            Matcher series = LINE.matcher(line);
            if (series.matches()) {
                medians.put(
                        new Key(series.group(1), series.group(2), series.group(3)), Double.valueOf(series.group(4)));
            }
        }
        if (medians.isEmpty()) {
            throw new IOException(file + " has no results of bench/compare");
        }
        return new Results(medians);
    }

    /** {@return the medians of rows divided by these, as a table} */
    String ratios(List<Row> rows) {
        StringBuilder text = new StringBuilder("""
                | group | row | contender | now | before | ratio |
                |---|---|---|---:|---:|---:|
                """);
        for (Row row : rows) {
            for (Series series : row.series()) {
                Double before = medians.get(new Key(row.group(), row.name(), series.contender()));
                if (before != null) {
                    double now = series.quantiles().median();
                    text.append(String.format(
                            Locale.ROOT,
                            "| %s | %s | %s | %s | %s | %.2f |%n",
                            row.group(),
                            row.name(),
                            series.contender(),
                            Time.text(now),
                            Time.text(before),
                            now / before));
                }
            }
        }
        return text.toString();
    }
}
