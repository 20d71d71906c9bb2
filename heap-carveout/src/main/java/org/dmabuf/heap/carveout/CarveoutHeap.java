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
 * Component of the carveout heaps, which reserve their memory when they start. So a camera's frames are available
 * whenever the camera needs them. Each configuration {@code org.dmabuf.heap.carveout~NAME} creates one heap; without a
 * configuration, no carveout exists.
 *
 * <p>{@link HeapStart} registers the service once the region is allocated. Declarative Services would register it
 * earlier, although the allocation may fail.
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
     * Configuration of a carveout. A change replaces the heap by a new one. Buffers of the old heap stay valid, and its
     * region stays allocated until the last of them is released. Sizes are in bytes, or have the suffix K, M, G or T.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF carveout heap",
            description = "A region of memory that is reserved at the start, for allocations that must succeed at once")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps; if empty, the part of the configuration's name after ~} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'. If empty, the part"
                        + " of the configuration's name after ~")
        String heap_name() default "";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default -1;

        /**
         * {@return {@code heap.priority}; below the system heap's, since the region is meant for requests that name it}
         */
        @AttributeDefinition(
                name = "Priority",
                description = "A request that names no heap asks the heaps in order of priority, highest first")
        int heap_priority() default -50;

        /** {@return bytes of the region, whole pages of {@link #page_size}} */
        @AttributeDefinition(name = "Size", description = "Size of the region, in whole pages, such as 256M")
        String size();

        /** {@return bytes of the region's pages} */
        @AttributeDefinition(
                name = "Page size",
                description = "Size of the region's pages. If empty, ordinary pages; otherwise a size of huge pages"
                        + " that are reserved, such as 2M or 1G")
        String page_size() default "";

        /** {@return the bytes to which sizes are rounded up, as in ION's chunk heap; empty for ordinary pages} */
        @AttributeDefinition(
                name = "Chunk size",
                description = "Sizes are rounded up to it, as in ION's chunk heap: a power of two. If empty, an"
                        + " ordinary page")
        String chunk_size() default "";

        /** {@return the unit of the region's allocator, in bytes} */
        @AttributeDefinition(
                name = "Granule",
                description = "Unit of the region's allocator, a power of two; a granule takes 16 bytes of Java's heap."
                        + " If empty, an ordinary page")
        String granule() default "";

        /** {@return the most bytes of the region that may be in use at a time; empty for all of it} */
        @AttributeDefinition(
                name = "Quota",
                description = "The most bytes of the region that may be in use at a time, quarantine included; the"
                        + " broker's quota.heap overrides it. If empty, all of it")
        String quota() default "";

        /** {@return the kind of exported buffers} */
        @AttributeDefinition(
                name = "Exports",
                description = "The kind of exported buffers; auto takes the first other one that the machine permits",
                options = {
                    @Option(value = "auto", label = "The first of the following that works"),
                    @Option(value = "udmabuf", label = "A dma-buf of its range: /dev/udmabuf"),
                    @Option(value = "memfd", label = "A separate memfd, which no device can import")
                })
        String exports() default "auto";

        /**
         * {@return whether a region that is not contiguous serves only requests that accept emulated contiguous memory}
         */
        @AttributeDefinition(
                name = "Emulate contiguous",
                description = "Whether a region that is not one physical run is announced as an emulation of one. It"
                        + " then serves only requests that accept emulated contiguous memory")
        boolean emulate_contiguous() default false;
    }

    private final BundleContext context;
    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Allocates the region, then announces the heap. If the machine has too little memory now, this happens later.
     *
     * @param context the context that registers the service
     * @param config the name, the size and the pages
     * @param properties the properties of the configuration, which contain its name
     */
    @Activate
    public CarveoutHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(CarveoutHeap.class));
    }

    CarveoutHeap(BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
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
                log.info("heap '{}' exports memfds, which no device can import, since {}", name, region.passedOver());
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

    /** Withdraws the heap. Its buffers stay valid, and keep the region allocated. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
