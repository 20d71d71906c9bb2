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
 * Contiguous memory, for devices without an IOMMU: a CMA heap of the kernel where there is one, else a region that has
 * its rules and is announced as an emulation. There is one heap without a configuration, and with
 * {@code org.dmabuf.heap.cma}; with configurations {@code org.dmabuf.heap.cma~NAME} there is one for each of these
 * instead.
 *
 * <p>{@link HeapStart} registers the service; Declarative Services would offer it before the kernel was asked
 * whether it gives memory this way: no memory, no service.
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
     * What can be configured. A change takes the heap away and brings another; buffers of the old one live on. Sizes
     * are bytes, or have K, M, G or T behind them.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF contiguous heap",
            description = "Memory in one physical run, or a region that has the rules of such memory")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps; what is behind ~ in the configuration's name when empty} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'. Empty: what stands"
                        + " behind ~ in the name of the configuration, or cma")
        String heap_name() default "";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default -1;

        /** {@return {@code heap.priority}: below the others but the secure heap's: contiguous memory is scarce} */
        @AttributeDefinition(
                name = "Priority",
                description = "A heap of higher priority is asked first by requests that name none")
        int heap_priority() default -60;

        /** {@return what makes the memory} */
        @AttributeDefinition(
                name = "Back end",
                description = "What makes the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The best that there is"),
                    @Option(value = DMA_HEAP, label = "A contiguous heap of the kernel"),
                    @Option(value = REGION, label = "A region with the same rules, which is not contiguous")
                })
        String backend() default BackEnds.AUTO;

        /** {@return the kernel's names of contiguous heaps, the first that serves is taken} */
        @AttributeDefinition(
                name = "Nodes",
                description = "Names of contiguous heaps below /dev/dma_heap, with blanks between; the first that"
                        + " serves")
        String[] nodes() default {"default_cma_region", "linux,cma", "reserved", "default-pool"};

        /** {@return bytes of the region that stands for the kernel's heap, in whole pages} */
        @AttributeDefinition(
                name = "Size",
                description = "Of the region that stands for the kernel's heap, in whole pages: it takes memory only"
                        + " where it has buffers")
        String size() default "64M";

        /** {@return the most that buffers of the region are aligned to} */
        @AttributeDefinition(
                name = "Alignment cap",
                description = "Buffers of the region are aligned to the power of two that is not below their size, and"
                        + " to no more than this;"
                        + " 1M is the kernel's own, unless CONFIG_CMA_ALIGNMENT says otherwise")
        String alignment_cap() default "1M";

        /** {@return what an exported buffer of the region is} */
        @AttributeDefinition(
                name = "Exports",
                description = "What an exported buffer of the region is; auto takes the first of the others that the"
                        + " machine permits",
                options = {
                    @Option(value = "auto", label = "The best that there is"),
                    @Option(value = "udmabuf", label = "A dma-buf of its range: /dev/udmabuf"),
                    @Option(value = "memfd", label = "A memfd of its own, which no device imports")
                })
        String exports() default "auto";
    }

    private final BundleContext context;
    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the kernel, then announces the heap; later, when the machine is short of something now.
     *
     * @param context registers the service
     * @param config name, nodes, and the region that stands for them
     * @param properties the configuration's own, for its name
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
        // A setting that is wrong is refused whichever back end serves.
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
        String remedy = "take a kernel with CONFIG_DMABUF_HEAPS_CMA and memory set aside (cma= at boot), or name its"
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
                .with(HeapProperties.CONTIGUOUS_MAX, Long.MAX_VALUE) // whatever fits is one run
                .then(source -> {
                    log.info("heap '{}' {}", heap, "has the memory of " + DmaHeapSource.FOLDER + node);
                    return source;
                });
    }

    private static String emulation(EmulatedCmaSource region, String passedOver) {
        return "only emulates contiguous memory, since "
                + (passedOver.isEmpty() ? REGION + " is configured" : passedOver)
                + (region.passedOver().isEmpty()
                        ? ""
                        : "; it exports memfds, which no device imports, since " + region.passedOver());
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

    /** Takes the heap away. Its buffers live on. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
