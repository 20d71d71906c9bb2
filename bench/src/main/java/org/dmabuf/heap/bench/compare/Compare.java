// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.pool.PoolGroup;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Program that compares our memory with other kinds, in one process and in turns, and judges the targets. Started by
 * {@code bench/compare}.
 */
public final class Compare {
    /**
     * Bytes that are touched first, at most a quarter of the free memory. A virtual machine's host provides memory at
     * the first use.
     */
    private static final long TOUCHED = 1024 * Sizes.MIB;

    private static final long PIECE = 64 * Sizes.MIB;
    private static final int MISSED = 1;
    private static final int UNUSABLE = 2;

    private final Options options;
    private final List<Group> groups;

    private Compare(Options options) {
        this.options = options;
        this.groups = List.of(
                new FreshGroup(),
                new ShareGroup(),
                new LoopGroup(),
                new DeviceGroup(),
                new GrowthGroup(),
                new BrokerGroup(),
                new PoolGroup(),
                new RegionGroup(),
                new LoadGroup(options.folder()));
    }

    /**
     * Measures, writes the results, and exits with 1 if a target is missed that has no explanation.
     *
     * @param args the folder {@code bench}, then the options of the command
     * @throws IOException when a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        boolean met;
        try {
            met = new Compare(Options.parse(args)).run();
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(UNUSABLE);
            return;
        }
        System.exit(met ? 0 : MISSED);
    }

    private boolean run() throws IOException {
        List<Group> chosen = chosen();
        Targets targets = Targets.read(options.bench().resolve("targets"));
        Map<String, String> machine = Machine.facts();
        touch();
        Rounds rounds = new Rounds(options.quick() ? Effort.QUICK : Effort.FULL, System.err::println);
        StringBuilder text = new StringBuilder();
        print(head(machine), text);
        List<Row> all = new ArrayList<>();
        for (Group group : chosen) {
            List<Row> rows = group.measure(rounds);
            all.addAll(rows);
            print(section(group, rows), text);
        }
        print("""

                ## Targets

                A ratio or difference is the median of that of the turns. The limits are in `bench/targets`.

                """ + targets.table(all), text);
        write(text.toString(), machine, all);
        if (options.against().isPresent()) {
            System.out.print("\n" + Results.read(options.against().get()).ratios(all));
        }
        return targets.areMet(all);
    }

    /** Prints a part at once, so that an interrupted run has shown it, and adds it to the text. */
    private static void print(String part, StringBuilder text) {
        System.out.print(part);
        text.append(part);
    }

    private List<Group> chosen() {
        List<String> names = groups.stream().map(Group::name).toList();
        for (String name : options.groups()) {
            if (!names.contains(name)) {
                throw new IllegalArgumentException(
                        "unknown group '" + name + "': expected one of " + String.join(", ", names));
            }
        }
        return groups.stream()
                .filter(group -> options.groups().isEmpty() || options.groups().contains(group.name()))
                .toList();
    }

    private static void touch() {
        MemfdSource source = MemfdSource.open("touch");
        List<HeapBuffer> buffers = new ArrayList<>();
        try {
            long most = Math.min(TOUCHED, source.usage().free().orElseThrow() / 4);
            for (long touched = 0; touched < most; touched += PIECE) {
                HeapBuffer buffer = source.allocate(HeapRequest.of(PIECE));
                buffers.add(buffer);
                MemorySegment mapping = buffer.map(Access.READ_WRITE);
                Twin.fill(mapping);
                buffer.unmap(mapping);
            }
        } finally {
            buffers.forEach(HeapBuffer::release);
        }
    }

    private static String head(Map<String, String> machine) {
        String facts = machine.entrySet().stream()
                .map(fact -> fact.getKey() + " " + fact.getValue())
                .collect(Collectors.joining(", "));
        return """
                # Beside what people would pick

                Written by `bench/compare`. All contenders of a row took turns in one process, in a random order, after
                memory had been touched. A cell has the median of the turns, with p10 and p90 behind it.

                Machine: %s.
                """.formatted(facts);
    }

    private static String section(Group group, List<Row> rows) {
        StringBuilder text =
                new StringBuilder("\n## ").append(group.name()).append("\n\n").append(group.note());
        if (rows.isEmpty()) {
            return text.append("\n\nNot measured on this machine.\n").toString();
        }
        text.append("\n\n").append(Table.of(rows));
        String conclusion = group.conclusion(rows);
        return conclusion.isEmpty()
                ? text.toString()
                : text.append("\n").append(conclusion).append("\n").toString();
    }

    private void write(String text, Map<String, String> machine, List<Row> rows) throws IOException {
        Path folder = options.folder();
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("compare.md"), text);
        Files.writeString(folder.resolve("compare.json"), Results.json(machine, rows));
        List<Chart.Panel> panels = new ArrayList<>();
        panel("Memory that is made, filled and freed", new FreshGroup(), rows).ifPresent(panels::add);
        panel("A frame that another process reads", new ShareGroup(), rows).ifPresent(panels::add);
        if (!panels.isEmpty()) {
            Files.writeString(folder.resolve("compare.svg"), Chart.of(panels));
        }
    }

    /** {@return the rows of a group that have the same contenders as its first; empty if it was not measured} */
    static Optional<Chart.Panel> panel(String title, Group group, List<Row> all) {
        List<Row> rows = all.stream()
                .filter(row -> row.group().equals(group.name()) && group.isInChart(row))
                .toList();
        return rows.stream()
                .findFirst()
                .map(first -> new Chart.Panel(
                        title,
                        rows.stream()
                                .filter(row -> row.contenders().equals(first.contenders()))
                                .toList()));
    }
}
