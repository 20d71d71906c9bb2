// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.FreeName;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.osgi.annotation.bundle.Capability;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component of the contiguous heap, for devices without an IOMMU. It uses a CMA heap of the kernel if one exists.
 * Otherwise it uses a region with the same rules, which is announced as an emulation. Without a configuration, or with
 * {@code org.dmabuf.heap.cma}, one heap exists. With configurations {@code org.dmabuf.heap.cma~NAME}, one heap exists
 * for each of them instead.
 *
 * <p>{@link HeapStart} registers the service once a back end works. Declarative Services would register it earlier,
 * although no back end may work.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = CmaHeap.PID)
@Designate(ocd = CmaHeap.Config.class, factory = true)
@Capability(
        namespace = "osgi.service",
        attribute = {
            "objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter,org.dmabuf.heap.spi.RegionMap'",
            HeapProperties.TYPE + "=cma"
        })
public final class CmaHeap {
    static final String PID = "org.dmabuf.heap.cma";

    private static final String DMA_HEAP = "dma-heap";
    private static final String REGION = "region";

    /**
     * Configuration of a contiguous heap. A change replaces the heap by a new one; buffers of the old heap stay valid.
     * Sizes are in bytes, or have the suffix K, M, G or T.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF contiguous heap",
            description = "Memory in one physical run, or a region that has the rules of such memory")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps; if empty, the part of the configuration's name after ~} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'. If empty, the part"
                        + " of the configuration's name after ~, or cma")
        String heap_name() default "";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default -1;

        /** {@return {@code heap.priority}; below all but the secure heap's, because contiguous memory is scarce} */
        @AttributeDefinition(
                name = "Priority",
                description = "A request that names no heap asks the heaps in order of priority, highest first")
        int heap_priority() default -60;

        /** {@return {@code heap.address.min}, the lowest physical address of the memory; absent if not known} */
        @AttributeDefinition(
                name = "Lowest address",
                description = "Lowest physical address of the kernel's contiguous memory, for devices that reach only"
                        + " some addresses: 0x30000000. Requires the back end dma-heap, because a region has other"
                        + " addresses. If absent, that of all memory of the machine",
                required = false)
        String heap_address_min();

        /** {@return {@code heap.address.max}, the highest physical address of the memory; absent if not known} */
        @AttributeDefinition(
                name = "Highest address",
                description = "Highest physical address of the kernel's contiguous memory, included: 0x3fffffff. If"
                        + " absent, that of all memory of the machine",
                required = false)
        String heap_address_max();

        /** {@return {@code heap.dma.bits}, the number of bits of each physical address; absent if not known} */
        @AttributeDefinition(
                name = "Address bits",
                description = "All physical addresses of the memory are below 2 to this power: 1 to 64",
                required = false)
        int heap_dma_bits();

        /** {@return the back end} */
        @AttributeDefinition(
                name = "Back end",
                description = "The source of the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The first of the following that works"),
                    @Option(value = DMA_HEAP, label = "A contiguous heap of the kernel"),
                    @Option(value = REGION, label = "A region with the same rules, which is not contiguous")
                })
        String backend() default BackEnds.AUTO;

        /** {@return names of contiguous heaps of the kernel; the first that works is used} */
        @AttributeDefinition(
                name = "Nodes",
                description = "Names of contiguous heaps below /dev/dma_heap, separated by blanks; the first that"
                        + " works is used")
        String[] nodes() default {"default_cma_region", "linux,cma", "reserved", "default-pool"};

        /** {@return bytes of the region that emulates the kernel's heap, in whole pages} */
        @AttributeDefinition(
                name = "Size",
                description = "Size of the region that emulates the kernel's heap, in whole pages; it uses memory only"
                        + " for its buffers")
        String size() default "64M";

        /** {@return the largest alignment of buffers of the region} */
        @AttributeDefinition(
                name = "Alignment cap",
                description = "Buffers of the region are aligned to the next power of two at or above their size, but"
                        + " at most to this. 1M is the kernel's default, see CONFIG_CMA_ALIGNMENT")
        String alignment_cap() default "1M";

        /** {@return the kind of exported buffers of the region} */
        @AttributeDefinition(
                name = "Exports",
                description = "The kind of exported buffers of the region; auto takes the first of the others that the"
                        + " machine permits",
                options = {
                    @Option(value = "auto", label = "The first of the following that works"),
                    @Option(value = "udmabuf", label = "A dma-buf of its range: /dev/udmabuf"),
                    @Option(value = "memfd", label = "A separate memfd, which no device can import")
                })
        String exports() default "auto";
    }

    private final BundleContext context;
    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the back ends, then announces the heap. If the machine lacks a resource now, this happens later.
     *
     * @param context the context that registers the service
     * @param config the name, the nodes, and the region that emulates them
     * @param properties the properties of the configuration, which contain its name
     */
    @Activate
    public CmaHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(CmaHeap.class));
    }

    CmaHeap(BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
        this.context = context;
        this.syscalls = syscalls;
        this.log = log;
        start = HeapStart.of(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        HeapSettings settings =
                HeapSettings.of(PID, "cma", properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(log::warn);
        // Invalid settings are refused even if the chosen back end does not use them.
        start.configure(settings, () -> backEnds(config, settings), backEnds -> {
            BackEnds.Choice choice = backEnds.choose(config.backend());
            return choice.opened().then(source -> {
                if (source instanceof EmulatedCmaSource region) {
                    log.info("heap '{}' {}", settings.heap(), emulation(region, choice.passedOver()));
                }
                return source;
            });
        });
    }

    private BackEnds backEnds(Config config, HeapSettings settings) {
        String heap = settings.heap();
        RegionLayout layout = layout(config, settings);
        List<String> nodes = settings.nodes("nodes", config.nodes());
        Headroom headroom = Headroom.machine();
        String remedy = "use a kernel with CONFIG_DMABUF_HEAPS_CMA and reserved memory (cma= at boot), or name its"
                + " node by " + settings.place("nodes");
        BackEnds backEnds = new BackEnds(settings)
                .with(
                        DMA_HEAP,
                        () -> BackEnds.firstNode(
                                settings, nodes, node -> device(heap, node, syscalls, log), "contiguous", remedy))
                .with(REGION, () -> {
                    FreeName.require(context, settings);
                    return OpenedHeap.of(EmulatedCmaSource.open(heap, layout, syscalls, headroom));
                });
        backEnds.requireWord(config.backend());
        return backEnds;
    }

    private static OpenedHeap device(String heap, String node, Syscalls syscalls, Logger log) {
        return OpenedHeap.of(DmaHeapSource.openContiguous(heap, node, syscalls))
                .with(HeapProperties.CONTIGUOUS, true)
                .with(HeapProperties.CONTIGUOUS_MAX, Long.MAX_VALUE) // each buffer is one run
                .then(source -> {
                    log.info("heap '{}' {}", heap, "uses the memory of " + DmaHeapSource.FOLDER + node);
                    return source;
                });
    }

    private static String emulation(EmulatedCmaSource region, String passedOver) {
        return "only emulates contiguous memory, since "
                + (passedOver.isEmpty() ? REGION + " is configured" : passedOver)
                + (region.passedOver().isEmpty()
                        ? ""
                        : "; it exports memfds, which no device can import, since " + region.passedOver());
    }

    private static RegionLayout layout(Config config, HeapSettings settings) {
        long size = settings.bytes("size", config.size());
        if (size <= 0 || size % Bytes.PAGE != 0) {
            throw settings.wrong("size", config.size(), "whole pages of " + Bytes.text(Bytes.PAGE));
        }
        long cap = settings.bytes("alignment.cap", config.alignment_cap());
        if (cap < Bytes.PAGE || Long.bitCount(cap) != 1) {
            throw settings.wrong(
                    "alignment.cap",
                    config.alignment_cap(),
                    "a power of two of at least a page, " + Bytes.text(Bytes.PAGE));
        }
        return RegionLayout.of(size, settings.place("size"))
                .withAlignmentCap(cap)
                .withExports(settings.oneOf("exports", config.exports(), RegionLayout.Exports.class));
    }

    /** Withdraws the heap. Its buffers stay valid. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
