// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.RegionMap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/** Shell command {@code dmaheap:map} for the heaps that have a region and show it. */
@Component(
        service = {MapCommand.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=map"})
public final class MapCommand implements CommandSet {
    private static final long NARROW = 8;
    private static final long WIDE = 1000;

    private static final String HEAP = "HEAP";
    private static final Option WIDTH =
            Option.valued('w', "width", "N", "characters in a line; default 80, or the terminal's width");

    private static final Syntax MAP = Syntax.of(
                    "map", "Draws the region of a heap: free, used, to be zeroed, or held elsewhere")
            .taking(HEAP, 1, 1)
            .with(WIDTH, Option.JSON);

    private final BundleContext context;

    /**
     * Creates the command. It looks the heap up at each call.
     *
     * @param context context of the shell's bundle
     */
    @Activate
    public MapCommand(BundleContext context) {
        this.context = context;
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(MAP);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals(HEAP)
                ? Optional.of(regions().stream().map(MapCommand::name).toList())
                : Optional.empty();
    }

    /**
     * Draws a heap's region.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     */
    @Descriptor("draw the region of a heap (options: dmaheap:map --help)")
    public void map(CommandSession session, @Descriptor("options and arguments; --help lists them") Object... words) {
        Command.run(session, MAP, words, (line, out) -> {
            int width = line.value(WIDTH)
                    .map(text -> (int) Numbers.whole("width", text, NARROW, WIDE))
                    .orElseGet(() -> columns(session));
            String heap = line.argument(0);
            out.print(
                    line.has(Option.JSON)
                            ? look(heap, region -> Output.text(Json.of(heap, region)))
                            : look(heap, region -> new RegionDrawing(heap, region, width).toString()));
        });
    }

    /** Width of the terminal, from the shell or its environment, if either knows it. */
    private static int columns(CommandSession session) {
        for (Object columns : new Object[] {session.get("COLUMNS"), System.getenv("COLUMNS")}) {
            if (columns != null && columns.toString().matches("[1-9][0-9]{0,3}")) {
                return (int) Math.clamp(Long.parseLong(columns.toString()), NARROW, Table.WIDTH);
            }
        }
        return Table.WIDTH;
    }

    private String look(String heap, Function<RegionMap, String> use) {
        List<String> others = new ArrayList<>();
        for (ServiceReference<RegionMap> reference : regions()) {
            RegionMap region = name(reference).equals(heap) ? context.getService(reference) : null;
            if (region != null) {
                try {
                    return use.apply(region);
                } finally {
                    context.ungetService(reference);
                }
            }
            others.add(name(reference));
        }
        throw new IllegalArgumentException("no heap '" + heap + "' has a region to draw; "
                + (others.isEmpty() ? "no region exists" : "expected one of " + String.join(", ", others)));
    }

    private static String name(ServiceReference<RegionMap> region) {
        return String.valueOf(region.getProperty(HeapProperties.NAME));
    }

    private Collection<ServiceReference<RegionMap>> regions() {
        try {
            return context.getServiceReferences(RegionMap.class, null);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e); // the filter is null
        }
    }
}
