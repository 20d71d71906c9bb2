// SPDX-License-Identifier: Apache-2.0
package org.example.node;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/**
 * Heap of a vendor whose driver provides the memory through a node below {@value DmaHeapSource#FOLDER}. Its buffers are
 * dma-bufs, which devices import.
 *
 * <p>The configuration is {@code etc/org.example.node.cfg}, or a file {@code etc/org.example.node-NAME.cfg} for each of
 * several nodes. Without its node the heap is not registered, and the log and {@code dmaheap:info} show the missing
 * node.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = NodeHeap.PID)
@Designate(ocd = NodeHeap.Config.class)
public final class NodeHeap {
    static final String PID = "org.example.node";

    /** Settings of the heap. */
    @ObjectClassDefinition(name = "Heap over a device node")
    public @interface Config {
        /** {@return the kernel's name of the heap, as in /dev/dma_heap; required} */
        String node() default "";

        /** {@return the heap's unique name; empty for the name of the node} */
        String heap_name() default "";

        /** {@return the heap's bit in a mask, 0 to 63} */
        int heap_id() default 41;

        /** {@return the heap's priority in a request that names no heaps; below 0 it comes after the system heap} */
        int heap_priority() default -10;
    }

    private final HeapStart start;

    /**
     * Opens and tests the node, and announces the heap. If a resource is short, this happens later.
     *
     * @param context registers the service
     * @param config node, name and id
     * @param properties the configuration's own
     */
    @Activate
    public NodeHeap(BundleContext context, Config config, Map<String, Object> properties) {
        start = HeapStart.of(context);
        configure(config, properties);
    }

    /** Logs a mistake in an edited file and leaves the heap unchanged. */
    @Modified
    void configure(Config config, Map<String, Object> properties) {
        String name = config.heap_name().isEmpty() ? config.node() : config.heap_name();
        HeapSettings settings = HeapSettings.of(PID, "node", properties, name, config::heap_id, config::heap_priority);
        start.configure(
                settings,
                () -> node(config, settings),
                node -> OpenedHeap.of(DmaHeapSource.open(settings.heap(), node)));
    }

    private static String node(Config config, HeapSettings settings) {
        String right = "the name of a node below " + DmaHeapSource.FOLDER;
        List<String> nodes = settings.nodes("node", config.node());
        if (nodes.isEmpty()) {
            throw settings.absent("node", right);
        }
        if (nodes.size() > 1) {
            throw settings.wrong("node", config.node(), right);
        }
        return nodes.getFirst();
    }

    /** Withdraws the heap. Its buffers stay valid. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
