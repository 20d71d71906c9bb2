// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.RegionMap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/** {@code dmaheap:map}, for the heaps that have a region and show it. */
@Component(
        service = MapCommand.class,
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=map"})
public final class MapCommand {
    private static final long NARROW = 8;
    private static final long WIDE = 1000;
    private static final long USUAL = 80;

    private final BundleContext context;

    /**
     * A command that looks for the heap each time.
     *
     * @param context of the shell
     */
    @Activate
    public MapCommand(BundleContext context) {
        this.context = context;
    }

    /**
     * Draws a heap's region.
     *
     * @return the drawing
     */
    @Descriptor("draw the region of a heap: what is free, used, to be zeroed, or held elsewhere")
    public CharSequence map(
            CommandSession session,
            @Descriptor("characters in a line; the terminal's width by default")
                    @Parameter(
                            names = {"-w", "--width"},
                            absentValue = "")
                    String width,
            @Descriptor("HEAP") String... arguments) {
        try {
            if (arguments.length != 1) {
                throw new IllegalArgumentException("usage: dmaheap:map [options] HEAP");
            }
            int characters = (int) Numbers.whole("width", width.isEmpty() ? columns(session) : width, NARROW, WIDE);
            return draw(arguments[0], characters).toString();
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(e);
        }
    }

    /** What the shell says of the terminal, or its environment, where one does. */
    private static String columns(CommandSession session) {
        for (Object columns : new Object[] {session.get("COLUMNS"), System.getenv("COLUMNS")}) {
            if (columns != null && columns.toString().matches("[1-9][0-9]{1,3}")) {
                return Long.toString(Math.clamp(Long.parseLong(columns.toString()), NARROW, WIDE));
            }
        }
        return Long.toString(USUAL);
    }

    private RegionDrawing draw(String heap, int width) {
        List<String> others = new ArrayList<>();
        for (ServiceReference<RegionMap> reference : regions()) {
            String name = String.valueOf(reference.getProperty(HeapProperties.NAME));
            RegionMap region = name.equals(heap) ? context.getService(reference) : null;
            if (region != null) {
                try {
                    return new RegionDrawing(heap, region, width);
                } finally {
                    context.ungetService(reference);
                }
            }
            others.add(name);
        }
        throw new IllegalArgumentException("there is no heap '" + heap + "' that has a region to draw; "
                + (others.isEmpty() ? "none has" : "there are: " + String.join(", ", others)));
    }

    private Collection<ServiceReference<RegionMap>> regions() {
        try {
            return context.getServiceReferences(RegionMap.class, null);
        } catch (InvalidSyntaxException e) {
            throw new IllegalStateException(e); // of no filter
        }
    }
}
