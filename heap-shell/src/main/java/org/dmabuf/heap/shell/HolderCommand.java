// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.process.HolderScan;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shell command {@code dmaheap:holders}, which finds the processes that hold buffers. */
@Component(
        service = {HolderCommand.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=holders"})
public final class HolderCommand implements CommandSet {
    private static final String NAME = "NAME";

    private static final Option ALL =
            Option.flag('a', "all", "show every dma-buf of the machine, also of other programs");
    private static final Option WIDE = Option.flag('w', "wide", "show every column and every name in full");

    private static final Syntax HOLDERS = Syntax.of(
                    "holders", "Shows the processes that hold the buffers of all clients, or those named NAME")
            .taking("[" + NAME + "]", 0, 1)
            .with(ALL, WIDE, Option.JSON)
            .noting("A process holds a buffer by descriptors or mappings. Imports into devices and\n"
                    + "messages under way appear only as the kernel's count, (count +N).");

    private final HeapMonitor monitor;

    /**
     * Creates the command.
     *
     * @param monitor source of the buffers
     */
    @Activate
    public HolderCommand(@Reference HeapMonitor monitor) {
        this.monitor = monitor;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(HOLDERS);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals(NAME) ? Optional.of(names()) : Optional.empty();
    }

    private List<String> names() {
        TreeSet<String> names = new TreeSet<>();
        monitor.buffers().forEach(buffer -> buffer.name().ifPresent(names::add));
        return List.copyOf(names);
    }

    /**
     * Shows the holders of buffers.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("show the processes that hold buffers (options: dmaheap:holders --help)")
    public void holders(
            CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, HOLDERS, words, (line, out) -> {
            if (line.has(ALL) && !line.arguments().isEmpty()) {
                throw new IllegalArgumentException("give NAME or --all, not both; " + HOLDERS.usage());
            }
            List<BufferRecord> buffers = line.arguments().isEmpty() ? monitor.buffers() : named(line.argument(0));
            HolderScan scan = HolderScan.of(buffers);
            HolderReport ours = HolderReport.of(buffers, scan);
            HolderReport report = line.has(ALL) ? ours.withForeign(scan) : ours;
            if (line.has(Option.JSON)) {
                out.json(report.toMap());
            } else {
                out.print(line.has(WIDE) ? report.wide() : report.narrow());
            }
        });
    }

    private List<BufferRecord> named(String name) {
        List<BufferRecord> found = monitor.buffers().stream()
                .filter(buffer -> buffer.name().equals(Optional.of(name)))
                .toList();
        if (found.isEmpty()) {
            List<String> names = names();
            throw new IllegalArgumentException("unknown buffer '" + name + "': "
                    + (names.isEmpty() ? "no buffer has a name" : "expected one of " + String.join(", ", names)));
        }
        return found;
    }
}
