// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.console;

import jakarta.servlet.Servlet;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.felix.utils.json.JSONWriter;
import org.apache.felix.webconsole.servlet.AbstractServlet;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.spi.RegionMap;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;

/** Page of the web console about heaps, clients and buffers. It reads only. */
@Component(
        service = Servlet.class,
        property = {
            "felix.webconsole.label=" + HeapsPage.LABEL,
            "felix.webconsole.title=Heaps",
            "felix.webconsole.category=Memory"
        })
public final class HeapsPage extends AbstractServlet {
    static final String LABEL = "dmaheap";

    private static final long serialVersionUID = 1;
    private static final String ROOT = "/" + LABEL + "/";
    private static final String STATE = ROOT + "state.json";
    private static final Set<String> FILES = Set.of("heaps.js", "heaps.css");

    private final transient HeapBroker broker;
    private final transient HeapMonitor monitor;
    private final transient LastRefusals refusals;
    private final transient Holders holders = new Holders();
    private final transient Regions drawings = new Regions();

    /** Regions with their service's properties; replaced by each change. */
    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    transient volatile List<Map.Entry<Map<String, Object>, RegionMap>> regions = List.of();

    /**
     * Creates the page.
     *
     * @param broker source of the heaps
     * @param monitor source of the charges
     * @param refusals the last refusals
     */
    @Activate
    public HeapsPage(@Reference HeapBroker broker, @Reference HeapMonitor monitor, @Reference LastRefusals refusals) {
        this.broker = broker;
        this.monitor = monitor;
        this.refusals = refusals;
    }

    /** {@return a file of the page; null for any other path, as the web console requires} */
    @Override
    protected URL getResource(String path) {
        return path.startsWith(ROOT) && FILES.contains(path.substring(ROOT.length()))
                ? HeapsPage.class.getResource(path.substring(ROOT.length()))
                : null;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        setNoCache(response); // files of a reproducible bundle have a date long ago, so a browser would keep old ones
        if (STATE.equals(request.getPathInfo())) {
            response.setContentType("application/json");
            response.setCharacterEncoding(StandardCharsets.UTF_8.name());
            response.setHeader("X-Content-Type-Options", "nosniff");
            new JSONWriter(response.getWriter())
                    .value(Snapshot.printable(state()))
                    .flush();
        } else {
            super.doGet(request, response);
        }
    }

    /** Writes the page's frame, which the script fills. The frame has no foreign text. */
    @Override
    public void renderContent(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.getWriter().append("""
                <link rel="stylesheet" href="dmaheap/heaps.css">
                <div id="dmaheap"><p id="dmaheap-problem"></p>
                <h3>Heaps</h3><table class="nicetable" id="dmaheap-heaps"></table>
                <h3>Regions</h3><div id="dmaheap-regions"></div>
                <h3>Clients</h3><table class="nicetable" id="dmaheap-clients"></table>
                <h3>Buffers and their holders</h3><table class="nicetable" id="dmaheap-buffers"></table>
                <ul id="dmaheap-limits"></ul>
                <h3>Last refusals</h3><table class="nicetable" id="dmaheap-refusals"></table></div>
                <script src="dmaheap/heaps.js"></script>
                """);
    }

    private Map<String, Object> state() {
        List<BufferRecord> buffers = monitor.buffers();
        Holders.Result held = holders.of(buffers);
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heaps", broker.heaps().stream().map(Snapshot::of).toList());
        map.put("regions", drawings.of(regions));
        map.put("clients", monitor.usageByClient().stream().map(Snapshot::of).toList());
        map.put(
                "buffers",
                buffers.stream()
                        .map(buffer -> Snapshot.of(buffer, held.scan().flatMap(scan -> scan.of(buffer))))
                        .toList());
        map.put("limits", held.limits());
        map.put("refusals", refusals.list());
        return map;
    }
}
