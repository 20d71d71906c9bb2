// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.pool.PooledSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
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
 * Component of the system heap, which every gateway has: ordinary memory of the machine, in scattered pages. It is the
 * counterpart of {@code /dev/dma_heap/system}, and takes its memory from there if the machine permits. A request that
 * gives only a size is served by this heap first.
 *
 * <p>{@link HeapStart} registers the service once a back end works. Declarative Services would register it earlier,
 * although no back end may work.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = SystemHeap.PID)
@Designate(ocd = SystemHeap.Config.class)
@Capability(
        namespace = "osgi.service",
        attribute = {"objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter'", HeapProperties.TYPE + "=system"})
public final class SystemHeap {
    static final String PID = "org.dmabuf.heap.system";

    /**
     * Configuration of the system heap. A change restarts the heap; its buffers stay valid. An invalid value leaves the
     * heap unchanged.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF system heap",
            description = "Memory of the machine, shareable with other processes")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'")
        String heap_name() default "system";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default 0;

        /** {@return {@code heap.priority}} */
        @AttributeDefinition(
                name = "Priority",
                description = "A request that names no heap asks the heaps in order of priority, highest first")
        int heap_priority() default 0;

        /** {@return the back end} */
        @AttributeDefinition(
                name = "Back end",
                description = "The source of the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The first of the following that works"),
                    @Option(value = "dma-heap", label = "The kernel's system heap: /dev/dma_heap/system"),
                    @Option(value = "udmabuf", label = "dma-bufs made of memfds: /dev/udmabuf"),
                    @Option(value = "memfd", label = "memfds, which no device can import")
                })
        String backend() default BackEnds.AUTO;

        /** {@return sizes and counts of buffers that are made ahead of demand: {@code SIZE=COUNT}} */
        @AttributeDefinition(
                name = "Prewarmed buffers",
                description = "SIZE=COUNT, for instance 1M=8: buffers made ahead of demand, used once; none by default")
        String[] pool_prewarm() default {};

        /** {@return the most bytes of released buffers without an export that are kept for reuse, 0 for none} */
        @AttributeDefinition(
                name = "Recycled memory",
                description = "Most memory that is kept for reuse, from released buffers without an export: bytes, or"
                        + " a number with K, M or G")
        String pool_recycle() default "0";

        /** {@return seconds after which idle pooled memory is released} */
        @AttributeDefinition(
                name = "Idle time of pools",
                description = "Seconds after which idle pooled memory is released",
                min = "1")
        int pool_idle_s() default 60;
    }

    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the back ends, then announces the heap. If the machine lacks a resource now, this happens later.
     *
     * @param context the context that registers the service
     * @param config the name, the id, the priority, the back end and the pools
     * @param properties the properties of the configuration
     */
    @Activate
    public SystemHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(SystemHeap.class));
    }

    SystemHeap(BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
        this.syscalls = syscalls;
        this.log = log;
        start = HeapStart.of(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        Headroom headroom = Headroom.machine();
        HeapSettings settings =
                HeapSettings.of(PID, "system", properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(log::warn);
        String heap = settings.heap();
        BackEnds backEnds = new BackEnds(settings)
                .with("dma-heap", () -> OpenedHeap.of(DmaHeapSource.open(heap, "system", syscalls, headroom)))
                .with("udmabuf", () -> OpenedHeap.of(UdmabufSource.open(heap, syscalls, headroom)))
                .with("memfd", () -> OpenedHeap.of(MemfdSource.open(heap, syscalls, headroom)));
        start.configure(
                settings,
                () -> {
                    backEnds.requireWord(config.backend());
                    return new Pools(settings).budget(config);
                },
                budget -> ChosenBackEnd.open(backEnds, config.backend(), heap, log)
                        .then(source -> PooledSource.over(source, heap, syscalls, headroom, budget)));
    }

    /** Withdraws the heap. Its buffers stay valid. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
