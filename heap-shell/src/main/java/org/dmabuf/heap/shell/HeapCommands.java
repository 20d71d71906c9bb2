// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.UsageRecord;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * The commands of scope {@code dmaheap}. They return objects; {@link HeapConverter} says how those look. Positional
 * arguments are taken as they come and checked here, because Gogo's own refusal speaks of coercion and not of what was
 * expected.
 *
 * <p>Immediate, because Gogo gets and ungets the service for each command: a delayed component would lose its buffers.
 */
@Component(
        immediate = true,
        service = HeapCommands.class,
        property = {
            "osgi.command.scope=dmaheap",
            "osgi.command.function=list",
            "osgi.command.function=info",
            "osgi.command.function=usage",
            "osgi.command.function=clients",
            "osgi.command.function=dump"
        })
public final class HeapCommands {
    /** The name by which the monitor knows adopted memory, which is of no heap. */
    private static final String ADOPTED = "adopted";

    private static final Pattern WITH_EMULATIONS = Pattern.compile("withEmulations\\(\"([^)]*)\"\\)");

    private final HeapBroker broker;
    private final HeapMonitor monitor;

    /**
     * Commands over a broker.
     *
     * @param broker the shell's view of it
     * @param monitor tells of all clients; its peaks are the shell's own
     */
    @Activate
    public HeapCommands(@Reference HeapBroker broker, @Reference HeapMonitor monitor) {
        this.broker = broker;
        this.monitor = monitor;
    }

    /**
     * Lists the heaps.
     *
     * @param arguments none
     * @return every heap that the broker knows; its text has a last line for adopted memory, where there is any
     */
    @Descriptor("list the heaps, in the order in which they are asked, and adopted memory")
    public List<HeapInfo> list(@Descriptor("nothing") String... arguments) {
        return plainly(() -> {
            expect(0, arguments, "list");
            return new ListedHeaps(broker.heaps(), adopted());
        });
    }

    private Optional<UsageRecord> adopted() {
        return monitor.usageByHeap().stream()
                .filter(record -> record.heap().equals(Optional.of(ADOPTED)))
                .filter(record -> record.liveBuffers() + record.lingeringBuffers() > 0)
                .findFirst();
    }

    /**
     * Tells of one heap all that it announced.
     *
     * @param arguments its name
     * @return every heap of that name, the serving one first
     */
    @Descriptor("tell all that is known of one heap")
    public List<HeapInfo> info(@Descriptor("HEAP") String... arguments) {
        return plainly(() -> {
            String name = expect(1, arguments, "info HEAP")[0];
            List<HeapInfo> heaps = broker.heaps();
            List<HeapInfo> found =
                    heaps.stream().filter(heap -> heap.name().equals(name)).toList();
            if (found.isEmpty()) {
                List<String> names = heaps.stream().map(HeapInfo::name).toList();
                throw new IllegalArgumentException("there is no heap '" + name + "'; "
                        + (names.isEmpty() ? "none is installed" : "there are: " + String.join(", ", names)));
            }
            // Wrapped, so that the converter shows it in full and not as the row of a table.
            return new HeapDetails(found);
        });
    }

    /**
     * Tells what is charged to each heap.
     *
     * @param reset whether the peaks begin anew afterwards
     * @param arguments none
     * @return one for each heap
     */
    @Descriptor("what is charged to each heap, with peak, quota, sums since the start, waits and failures by cause")
    public List<UsageRecord> usage(
            @Descriptor("begin the peaks anew afterwards")
                    @Parameter(
                            names = {"-r", "--reset"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean reset,
            @Descriptor("nothing") String... arguments) {
        return plainly(() -> {
            expect(0, arguments, "usage");
            List<UsageRecord> heaps = scriptable(monitor.usageByHeap());
            if (reset) {
                monitor.resetPeaks();
            }
            return heaps;
        });
    }

    /**
     * Tells what is charged to each client.
     *
     * @param byHeap whether each heap is told apart
     * @param arguments none
     * @return one for each client, or for each on each heap
     */
    @Descriptor("what is charged to each client, with peak, quota, sums since the start, waits and failures by cause")
    public List<UsageRecord> clients(
            @Descriptor("tell each heap apart")
                    @Parameter(
                            names = {"-b", "--by-heap"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean byHeap,
            @Descriptor("nothing") String... arguments) {
        return plainly(() -> {
            expect(0, arguments, "clients");
            return scriptable(byHeap ? monitor.usageByClientAndHeap() : monitor.usageByClient());
        });
    }

    /**
     * Lists every buffer that is charged to any client.
     *
     * @param arguments none
     * @return the buffers
     */
    @Descriptor("every buffer of every client, live or lingering, with what is open of it")
    public List<BufferRecord> dump(@Descriptor("nothing") String... arguments) {
        return plainly(() -> {
            expect(0, arguments, "dump");
            return scriptable(monitor.buffers());
        });
    }

    /** Runs a command so that its caller reads what is wrong, and not the name of a Java class before it. */
    private static <T> T plainly(Callable<T> command) {
        try {
            return command.call();
        } catch (HeapException e) {
            throw new CommandFailure(inOptions(e.getMessage()), e);
        } catch (FdSocketException | IllegalArgumentException | IOException e) {
            throw new CommandFailure(e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** A broker's sentence says what to call, and the shell has an option for it. */
    private static String inOptions(String sentence) {
        return WITH_EMULATIONS
                .matcher(sentence)
                .replaceAll(call -> Matcher.quoteReplacement("--emulated " + call.group(1).replace("\", \"", ",")));
    }

    /** Gogo calls methods of a result by reflection, which Java's own immutable lists do not let it. */
    private static <T> List<T> scriptable(List<T> list) {
        return new ArrayList<>(list);
    }

    private static String[] expect(int count, String[] arguments, String usage) {
        for (String argument : arguments) {
            if (argument.startsWith("-") && argument.length() > 1) {
                throw new IllegalArgumentException("'" + argument + "' is no option here; usage: dmaheap:" + usage
                        + " (see: help dmaheap:" + usage.split(" ")[0] + ")");
            }
        }
        if (arguments.length != count) {
            throw new IllegalArgumentException("usage: dmaheap:" + usage
                    + (arguments.length == 0 ? "" : ", not " + String.join(" ", Arrays.asList(arguments))));
        }
        return arguments;
    }
}
