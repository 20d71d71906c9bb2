// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shell commands of scope {@code dmaheap} that report on heaps, clients and buffers and change none of them. */
@Component(
        service = {ListingCommands.class, CommandSet.class},
        property = {
            "osgi.command.scope=dmaheap",
            "osgi.command.function=list",
            "osgi.command.function=info",
            "osgi.command.function=usage",
            "osgi.command.function=clients",
            "osgi.command.function=dump"
        })
public final class ListingCommands implements CommandSet {
    /** The monitor's name for adopted memory, which belongs to no heap. */
    private static final String ADOPTED = "adopted";

    private static final String HEAP = "HEAP";

    private static final Option WIDE = Option.flag('w', "wide", "show every column and every name in full");
    private static final Option RESET = Option.flag('r', "reset", "reset the peaks after printing them");
    private static final Option BY_HEAP = Option.flag('b', "by-heap", "show a row for each heap");

    private static final Syntax LIST = Syntax.of(
                    "list", "Lists the heaps, in the order in which requests ask them, and adopted memory")
            .with(WIDE, Option.JSON);
    private static final Syntax INFO = Syntax.of("info", "Shows all properties and figures of heaps")
            .taking(HEAP + "...", 1, Integer.MAX_VALUE)
            .with(Option.JSON);
    private static final Syntax USAGE = Syntax.of(
                    "usage", "Shows the memory charged to each heap, with peak, quota and failures")
            .with(RESET, WIDE, Option.JSON)
            .noting("With --wide, also totals since the start, waits, and failures by cause.");
    private static final Syntax CLIENTS = Syntax.of(
                    "clients", "Shows the memory charged to each client, with peak, quota and failures")
            .with(BY_HEAP, WIDE, Option.JSON)
            .noting("With --wide, also totals since the start, waits, failures by cause, and\n"
                    + "without --by-heap the processes and containers of a client outside the\n"
                    + "framework that has buffers.");
    private static final Syntax DUMP = Syntax.of(
                    "dump", "Lists every buffer of every client, live or lingering, with its references")
            .with(WIDE, Option.JSON)
            .noting("With --wide, also CPU accesses, allocation sites, and the process and\n"
                    + "container of a client outside the framework. Sites are recorded with\n"
                    + "allocation.sites = true in etc/org.dmabuf.heap.broker.cfg.");

    private final HeapBroker broker;
    private final HeapMonitor monitor;

    /**
     * Creates the commands.
     *
     * @param broker the shell's view of it
     * @param monitor monitor of all clients; its peaks are the shell's own
     */
    @Activate
    public ListingCommands(@Reference HeapBroker broker, @Reference HeapMonitor monitor) {
        this.broker = broker;
        this.monitor = monitor;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(LIST, INFO, USAGE, CLIENTS, DUMP);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals(HEAP) ? Optional.of(List.copyOf(names(broker.heaps()))) : Optional.empty();
    }

    /**
     * Lists the heaps and, in a last row, adopted memory.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("list the heaps and adopted memory (options: dmaheap:list --help)")
    public void list(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, LIST, words, (line, out) -> {
            List<HeapInfo> heaps = broker.heaps();
            if (line.has(Option.JSON)) {
                out.json(Json.of(heaps, adopted()));
            } else {
                HeapTable table = new HeapTable(heaps, adopted());
                out.print(line.has(WIDE) ? table.wide() : table.narrow());
            }
        });
    }

    private Optional<UsageRecord> adopted() {
        return monitor.usageByHeap().stream()
                .filter(record -> record.heap().equals(Optional.of(ADOPTED)))
                .filter(record -> record.liveBuffers() + record.lingeringBuffers() > 0)
                .findFirst();
    }

    /**
     * Shows everything known about each heap that has one of the given names, the serving heap first.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("show all properties and figures of heaps (options: dmaheap:info --help)")
    public void info(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, INFO, words, (line, out) -> {
            List<HeapInfo> heaps = broker.heaps();
            List<HeapInfo> found = new ArrayList<>();
            for (String name : line.arguments()) {
                found.addAll(named(name, heaps));
            }
            if (line.has(Option.JSON)) {
                out.json(found.stream().map(Json::of).toList());
            } else {
                out.print(String.join(
                        "\n\n",
                        found.stream()
                                .map(heap -> new HeapFacts(heap).toString())
                                .toList()));
            }
        });
    }

    private static List<HeapInfo> named(String name, List<HeapInfo> heaps) {
        List<HeapInfo> found =
                heaps.stream().filter(heap -> heap.name().equals(name)).toList();
        if (found.isEmpty()) {
            Set<String> names = names(heaps);
            throw new IllegalArgumentException("unknown heap '" + name + "': "
                    + (names.isEmpty() ? "no heap is installed" : "expected one of " + String.join(", ", names)));
        }
        return found;
    }

    /** {@return each name once: a heap that has left can be listed beside its successor of the same name} */
    private static Set<String> names(List<HeapInfo> heaps) {
        Set<String> names = new LinkedHashSet<>();
        heaps.forEach(heap -> names.add(heap.name()));
        return names;
    }

    /**
     * Shows the memory that is charged to each heap.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("show the memory charged to each heap (options: dmaheap:usage --help)")
    public void usage(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, USAGE, words, (line, out) -> {
            List<UsageRecord> records = monitor.usageByHeap();
            if (line.has(RESET)) {
                monitor.resetPeaks();
            }
            List<HeapInfo> heaps = broker.heaps();
            if (line.has(Option.JSON)) {
                out.json(records.stream()
                        .map(record -> Json.of(record, inLargeFolios(record, heaps)))
                        .toList());
            } else {
                out.print(UsageTable.ofHeaps(records, record -> inLargeFolios(record, heaps), line.has(WIDE))
                        .toString());
            }
        });
    }

    /** {@return bytes of a heap in large folios; of the first heap that has the name, as the charges are} */
    private static OptionalLong inLargeFolios(UsageRecord record, List<HeapInfo> heaps) {
        return heaps.stream()
                .filter(heap -> record.heap().equals(Optional.of(heap.name())))
                .findFirst()
                .map(heap -> heap.usage().inLargeFolios())
                .orElse(OptionalLong.empty());
    }

    /**
     * Shows the memory that is charged to each client.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("show the memory charged to each client (options: dmaheap:clients --help)")
    public void clients(
            CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, CLIENTS, words, (line, out) -> {
            boolean wide = line.has(WIDE);
            if (line.has(BY_HEAP)) {
                List<UsageRecord> records = monitor.usageByClientAndHeap();
                print(records, Json::of, UsageTable.ofClientsOnHeaps(records, wide), line, out);
            } else {
                List<UsageRecord> records = monitor.usageByClient();
                Origins origins = new Origins(wide || line.has(Option.JSON) ? monitor.buffers() : List.of());
                print(
                        records,
                        record -> Json.of(record, origins.of(record.client())),
                        UsageTable.ofClients(records, origins, wide),
                        line,
                        out);
            }
        });
    }

    private static void print(
            List<UsageRecord> records,
            Function<UsageRecord, Map<String, Object>> json,
            UsageTable table,
            Line line,
            Output out) {
        if (line.has(Option.JSON)) {
            out.json(records.stream().map(json).toList());
        } else {
            out.print(table.toString());
        }
    }

    /**
     * Lists every buffer that is charged to any client.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("list every buffer of every client (options: dmaheap:dump --help)")
    public void dump(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, DUMP, words, (line, out) -> {
            List<BufferRecord> buffers = monitor.buffers();
            if (line.has(Option.JSON)) {
                out.json(buffers.stream().map(Json::of).toList());
            } else {
                ChargedBuffers table = new ChargedBuffers(buffers);
                out.print(line.has(WIDE) ? table.wide() : table.narrow());
            }
        });
    }
}
