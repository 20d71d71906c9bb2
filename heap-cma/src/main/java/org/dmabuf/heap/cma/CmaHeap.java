// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.Headroom;
import org.dmabuf.heap.linux.HeapSettings;
import org.dmabuf.heap.linux.HeapStart;
import org.dmabuf.heap.linux.MemorySource;
import org.dmabuf.heap.linux.RegionLayout;
import org.dmabuf.heap.linux.Syscalls;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.spi.WaitingHeap;
import org.osgi.annotation.bundle.Capability;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
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
 * <p>The service is registered here and not by Declarative Services, which would offer it before the kernel was asked
 * whether it gives memory this way: no memory, no service.
 */
@Component(immediate = true, service = {}, configurationPid = CmaHeap.PID)
@Designate(ocd = CmaHeap.Config.class, factory = true)
@Capability(
        namespace = "osgi.service",
        attribute = "objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter,org.dmabuf.heap.spi.RegionMap'")
public final class CmaHeap {
    static final String PID = "org.dmabuf.heap.cma";

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
                    @Option(value = Backend.AUTO, label = "The best that there is"),
                    @Option(value = Backend.DMA_HEAP, label = "A contiguous heap of the kernel"),
                    @Option(value = Backend.REGION, label = "A region with the same rules, which is not contiguous")
                })
        String backend() default Backend.AUTO;

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

    private final HeapStart start;

    /**
     * Tries the kernel, then announces the heap; later, when the machine is short of something now.
     *
     * @param context registers the service
     * @param config name, nodes, and the region that stands for them
     * @param properties the configuration's own, for its name
     * @throws HeapException when the memory is not there; nothing is registered then
     */
    @Activate
    public CmaHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(CmaHeap.class));
    }

    CmaHeap(BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
        HeapSettings settings = HeapSettings.of(PID, properties, config.heap_name(), "cma");
        settings.unread(Config.class).forEach(log::warn);
        Map<String, Object> announced = settings.announcement("cma", config::heap_id, config::heap_priority);
        Backend backend = new Backend(settings, syscalls, Headroom.machine());
        String word = config.backend();
        List<String> nodes = HeapSettings.words(config.nodes());
        RegionLayout layout = layout(config, settings);
        start = HeapStart.begin(settings.heap(), waiting(context), () -> {
            Backend.Choice choice = backend.choose(word, nodes, layout);
            log.info("heap '{}' {}", settings.heap(), choice.told());
            return register(context, choice, announced);
        });
    }

    private static RegionLayout layout(Config config, HeapSettings settings) {
        return RegionLayout.of(settings.bytes("size", config.size()), settings.place("size"))
                .withAlignmentCap(settings.bytes("alignment.cap", config.alignment_cap()))
                .withExports(settings.oneOf("exports", config.exports(), RegionLayout.Exports.class));
    }

    private static Function<Map<String, Object>, Runnable> waiting(BundleContext context) {
        return properties -> context.registerService(
                        WaitingHeap.class, new WaitingHeap() {}, FrameworkUtil.asDictionary(properties))
                ::unregister;
    }

    /** {@return what withdraws the heap} */
    private static Runnable register(BundleContext context, Backend.Choice choice, Map<String, Object> announced) {
        MemorySource source = choice.source();
        try {
            String[] types = source instanceof RegionMap
                    ? new String[] {HeapExporter.class.getName(), RegionMap.class.getName()}
                    : new String[] {HeapExporter.class.getName()};
            Map<String, Object> properties = new HashMap<>(announced);
            properties.putAll(choice.properties());
            ServiceRegistration<?> registration =
                    context.registerService(types, source, FrameworkUtil.asDictionary(properties));
            return () -> {
                registration.unregister(); // waits for the allocations under way, within limits
                source.close();
            };
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
    }

    /** Takes the heap away. Its buffers live on. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
