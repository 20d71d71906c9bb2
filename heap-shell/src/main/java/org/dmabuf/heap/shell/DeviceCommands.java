// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.linux.text.Bytes;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shell commands on the devices that use buffers. They open no device. */
@Component(
        service = {DeviceCommands.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=constraints"})
public final class DeviceCommands implements CommandSet {
    /** A frame of a usual camera. In a buffer of one page, a limit of runs or of entries would not show. */
    private static final String USUAL_SIZE = "1M";

    private static final Option SIZE =
            Option.valued('s', "size", "BYTES", "size of the buffer; " + USUAL_SIZE + " unless given");
    private static final Option WIDE = Option.flag('w', "wide", "show every text in full");

    private static final Syntax CONSTRAINTS = Syntax.of(
                    "constraints", "Shows the demands of devices on memory, and the heaps that meet all of them")
            .taking("DEVICE...", 1, Integer.MAX_VALUE)
            .with(SIZE, WIDE, Option.JSON)
            .noting("The last column is the place where a demand was read. The heaps are in the\n"
                    + "order in which they are asked. Each other heap has a line with the reason.\n"
                    + "To allocate: dmaheap:alloc --for DEVICE,DEVICE SIZE");

    private final HeapBroker broker;

    /**
     * Creates the commands.
     *
     * @param broker the shell's view of it
     */
    @Activate
    public DeviceCommands(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(CONSTRAINTS);
    }

    /**
     * Shows the demands of devices, together and one by one, and the heaps that meet them.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("show the demands of devices on memory (options: dmaheap:constraints --help)")
    public void constraints(
            CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, CONSTRAINTS, words, (line, out) -> {
            long size = Bytes.parse(line.value(SIZE).orElse(USUAL_SIZE));
            DeviceReport report = DeviceReport.of(broker, DeviceNames.known(broker, line.arguments()), size);
            if (line.has(Option.JSON)) {
                out.json(report.toMap());
            } else {
                out.print(line.has(WIDE) ? report.wide() : report.narrow());
            }
        });
    }
}
