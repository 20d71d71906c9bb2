// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.List;
import java.util.Optional;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapState;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.DeviceProbe;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** Shell commands on the devices that use buffers. */
@Component(
        service = {DeviceCommands.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=constraints", "osgi.command.function=probe"})
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

    private static final Option HEAP =
            Option.valued('h', "heap", "NAME,...", "ask only about these heaps; all that serve unless given");
    private static final Option FORGET = Option.flag("forget", "forget the answers of the device, and ask nothing");

    private static final Syntax PROBE = Syntax.of("probe", "Asks a device whether it takes the memory of heaps")
            .taking("DEVICE", 1, 1)
            .with(HEAP, FORGET, Option.JSON)
            .noting("Each heap gives one buffer, which the device maps and gives back. No data is\n"
                    + "transferred. A device in use is not asked. Refusals and copies are remembered,\n"
                    + "and requests for the device exclude these heaps from then on.");

    private final HeapBroker broker;
    /** Replaced as a whole when a bundle arrives or leaves. */
    @Reference(policy = ReferencePolicy.DYNAMIC, policyOption = ReferencePolicyOption.GREEDY)
    volatile List<DeviceProbe> probes = List.of();

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
        return List.of(CONSTRAINTS, PROBE);
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

    /**
     * Asks a device whether it takes the memory of heaps, or forgets its answers.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("ask a device whether it takes the memory of heaps (options: dmaheap:probe --help)")
    public void probe(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, PROBE, words, (line, out) -> {
            String device = line.argument(0);
            if (line.has(FORGET)) {
                int forgotten =
                        probes.stream().mapToInt(probe -> probe.forget(device)).sum();
                out.print("forgotten answers of " + Printable.of(device) + ": " + forgotten);
                return;
            }
            ProbeReport report = ask(device, line.value(HEAP));
            if (line.has(Option.JSON)) {
                out.json(report.toMap());
            } else {
                out.print(report.text());
            }
        });
    }

    private ProbeReport ask(String device, Optional<String> named) {
        List<String> heaps = named.map(names -> List.of(names.split(",")))
                .orElseGet(() -> broker.heaps().stream()
                        .filter(heap -> heap.state() == HeapState.SERVING)
                        .map(HeapInfo::name)
                        .toList());
        for (DeviceProbe probe : probes) {
            Optional<ProbeReport> report = ProbeReport.of(broker, probe, device, heaps);
            if (report.isPresent()) {
                return report.get();
            }
        }
        DeviceNames.known(broker, List.of(device));
        throw HeapException.of(
                Errno.ENOTSUP,
                "the probe of " + Printable.of(device) + " failed: no installed bundle can ask this device; for a"
                        + " camera, install device-v4l2");
    }
}
