// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.carveout;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.FreeName;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.region.RegionSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.osgi.annotation.bundle.Capability;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Heaps whose memory is set aside when they start: a camera's frames are there when the camera is, and nobody else has
 * them. One heap for each configuration {@code org.dmabuf.heap.carveout~NAME}; without one there is none.
 *
 * <p>{@link HeapStart} registers the service; Declarative Services would offer it before the region was taken:
 * no memory, no service.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = CarveoutHeap.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = CarveoutHeap.Config.class, factory = true)
@Capability(
        namespace = "osgi.service",
        attribute = {
            "objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter,org.dmabuf.heap.spi.RegionMap'",
            HeapProperties.TYPE + "=carveout"
        })
public final class CarveoutHeap {
    static final String PID = "org.dmabuf.heap.carveout";

    /**
     * What can be configured. A change takes the heap away and brings another: buffers of the old one live on, and its
     * region stays with them until the last is released. Sizes are bytes, or have K, M, G or T behind them.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF carveout heap",
            description = "A region of memory that is set aside, for allocations that must succeed at once")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps; what is behind ~ in the configuration's name when empty} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'. Empty: what stands"
                        + " behind ~ in the name of the configuration")
        String heap_name() default "";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default -1;

        /** {@return {@code heap.priority}: below the system heap's, since who names no heap is not whom it is for} */
        @AttributeDefinition(
                name = "Priority",
                description = "A heap of higher priority is asked first by requests that name none")
        int heap_priority() default -50;

        /** {@return bytes of the region, whole pages of {@link #page_size}} */
        @AttributeDefinition(name = "Size", description = "Of the region, in whole pages, such as 256M")
        String size();

        /** {@return bytes of the region's pages} */
        @AttributeDefinition(
                name = "Page size",
                description = "Of the region's pages: 4K, or of huge pages that the machine has reserved, 2M or 1G")
        String page_size() default "";

        /** {@return bytes that sizes are rounded up to, as ION's chunk heap does; empty for pages} */
        @AttributeDefinition(
                name = "Chunk size",
                description = "Sizes are rounded up to it, as by ION's chunk heap: a power of two. Empty: pages of 4K")
        String chunk_size() default "";

        /** {@return bytes that the books count in} */
        @AttributeDefinition(
                name = "Granule",
                description = "What the books count in, a power of two; each granule takes 16 bytes of Java's heap."
                        + " Empty: pages of 4K")
        String granule() default "";

        /** {@return bytes of the region that may be out at a time; empty for all of it} */
        @AttributeDefinition(
                name = "Quota",
                description = "How much of the region may be out at a time, with what is quarantined; the broker's"
                        + " quota.heap goes before it. Empty: all of it")
        String quota() default "";

        /** {@return what an exported buffer is} */
        @AttributeDefinition(
                name = "Exports",
                description = "What an exported buffer is; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = "auto", label = "The best that there is"),
                    @Option(value = "udmabuf", label = "A dma-buf of its range: /dev/udmabuf"),
                    @Option(value = "memfd", label = "A memfd of its own, which no device imports")
                })
        String exports() default "auto";

        /** {@return whether a region that is not contiguous serves, as an emulation, only those who take one} */
        @AttributeDefinition(
                name = "Emulate contiguous",
                description = "Whether a region that is not one physical run is announced as an emulation of one: it"
                        + " then serves the requests that take emulated contiguous memory and no others")
        boolean emulate_contiguous() default false;
    }

    private final BundleContext context;
    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Takes the region, then announces the heap; later, when the machine has too little memory now.
     *
     * @param context registers the service
     * @param config name, size and pages
     * @param properties the configuration's own, for its name
     */
    @Activate
    public CarveoutHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(CarveoutHeap.class));
    }

    CarveoutHeap(
            BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
        this.context = context;
        this.syscalls = syscalls;
        this.log = log;
        start = HeapStart.of(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        HeapSettings settings = HeapSettings.of(
                PID, "carveout", properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(log::warn);
        start.configure(settings, () -> Region.of(config, settings), region -> {
            FreeName.require(context, settings);
            OpenedHeap opened = open(settings.heap(), region.layout(), syscalls, log);
            return region.quota().isPresent()
                    ? opened.with(HeapProperties.QUOTA, region.quota().getAsLong())
                    : opened;
        });
    }

    private static OpenedHeap open(String name, RegionLayout layout, Syscalls syscalls, Logger log) {
        RegionSource region = RegionSource.open(name, layout, syscalls, Headroom.machine());
        return OpenedHeap.of(region).then(source -> {
            if (!region.passedOver().isEmpty()) {
                log.info("heap '{}' exports memfds, which no device imports, since {}", name, region.passedOver());
            }
            if (!region.swappable().isEmpty()) {
                log.info("heap '{}' has memory that can be swapped out, since {}", name, region.swappable());
            }
            log.info(
                    "heap '{}' has {} on pages of {}, and exports {}",
                    name,
                    Bytes.text(region.size()),
                    Bytes.text(layout.pageSize()),
                    region.properties().get(HeapProperties.BACKEND));
            return source;
        });
    }

    /** Takes the heap away. Its buffers live on, and the region with them. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
