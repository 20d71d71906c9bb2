// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Targets of a file, one in each line; the file's comment has the format. */
public final class Targets {
    private static final Pattern FIGURE = Pattern.compile("(.+?)(?: (/|-) (.+))?");

    private final List<Target> all;

    private Targets(List<Target> all) {
        this.all = List.copyOf(all);
    }

    /**
     * Reads a file.
     *
     * @throws IOException when it cannot be read
     * @throws IllegalArgumentException for an invalid line
     */
    public static Targets read(Path file) throws IOException {
        List<Target> targets = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            if (!line.isBlank() && !line.startsWith("#")) {
                targets.add(parse(line, file));
            }
        }
        return new Targets(targets);
    }

    private static Target parse(String line, Path file) {
        String[] fields = line.split("\\|", -1);
        if (fields.length != 5) {
            throw new IllegalArgumentException(
                    "invalid target = " + line + " in " + file + ": expected 5 fields, with | between them");
        }
        for (int i = 0; i < fields.length; i++) {
            fields[i] = fields[i].strip();
        }
        Matcher figure = FIGURE.matcher(fields[2]);
        if (!figure.matches()) {
            throw new IllegalArgumentException(
                    "invalid target = " + line + " in " + file + ": expected a contender in the third field");
        }
        Target.Relation relation = figure.group(2) == null
                ? Target.Relation.ALONE
                : figure.group(2).equals("/") ? Target.Relation.RATIO : Target.Relation.DIFFERENCE;
        try {
            double limit = relation == Target.Relation.RATIO ? Double.parseDouble(fields[3]) : Time.parse(fields[3]);
            String other = figure.group(3) == null ? "" : figure.group(3);
            return new Target(fields[0], fields[1], figure.group(1), relation, other, limit, fields[4]);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "invalid limit = " + fields[3] + " in " + file + ": " + e.getMessage(), e);
        }
    }

    /** {@return whether no target is missed without an explanation} */
    public boolean areMet(List<Row> rows) {
        return all.stream().noneMatch(target -> target.fails(target.result(rows)));
    }

    /** {@return all targets as a table} */
    public String table(List<Row> rows) {
        StringBuilder text = new StringBuilder("""
                | group | row | figure | at most | result | |
                |---|---|---|---:|---:|---|
                """);
        for (Target target : all) {
            OptionalDouble result = target.result(rows);
            text.append("| ")
                    .append(String.join(
                            " | ",
                            target.group(),
                            target.row(),
                            target.figure(),
                            target.text(target.limit()),
                            result.isPresent() ? target.text(result.getAsDouble()) : "",
                            verdict(target, result)))
                    .append(" |\n");
        }
        return text.toString();
    }

    private static String verdict(Target target, OptionalDouble result) {
        if (result.isEmpty()) {
            return "not measured";
        }
        if (!target.misses(result)) {
            return "met";
        }
        return target.explanation().isEmpty() ? "**missed**" : "missed: " + target.explanation();
    }
}
