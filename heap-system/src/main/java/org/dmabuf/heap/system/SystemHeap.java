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
 * The heap that every gateway has: memory of the machine, in pages wherever they are. It is the counterpart of
 * {@code /dev/dma_heap/system}, has its memory from there where the machine permits, and is where a request goes that
 * says nothing but a size.
 *
 * <p>{@link HeapStart} registers the service; Declarative Services would offer it before the kernel was asked
 * whether it gives memory this way: no memory, no service.
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
     * What can be configured. A change takes the heap away and brings it back; buffers of it live on. A value that is
     * wrong leaves the heap as it is.
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
                description = "A heap of higher priority is asked first by requests that name none")
        int heap_priority() default 0;

        /** {@return what makes the memory} */
        @AttributeDefinition(
                name = "Back end",
                description = "What makes the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The best that there is"),
                    @Option(value = "dma-heap", label = "The kernel's system heap: /dev/dma_heap/system"),
                    @Option(value = "udmabuf", label = "dma-bufs made of memfds: /dev/udmabuf"),
                    @Option(value = "memfd", label = "memfds, which no device imports")
                })
        String backend() default BackEnds.AUTO;

        /** {@return sizes and counts of buffers that are made ahead of demand: {@code SIZE=COUNT}} */
        @AttributeDefinition(
                name = "Prewarmed buffers",
                description = "SIZE=COUNT, for instance 1M=8: buffers made ahead of demand, used once; none by default")
        String[] pool_prewarm() default {};

        /** {@return bytes kept of buffers that were never to be exported, 0 for none} */
        @AttributeDefinition(
                name = "Recycled memory",
                description = "How much memory of buffers that cannot be exported is kept for the next: bytes, or with"
                        + " K, M or G")
        String pool_recycle() default "0";

        /** {@return seconds after which memory is given back that nobody asks for} */
        @AttributeDefinition(
                name = "Idle time of pools",
                description = "Seconds after which kept memory is given back that nobody asks for",
                min = "1")
        int pool_idle_s() default 60;
    }

    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the kernel, then announces the heap; later, when the machine is short of something now.
     *
     * @param context registers the service
     * @param config name, id, priority, back end and pools
     * @param properties the configuration's own
     */
    @Activate
    public SystemHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(SystemHeap.class));
    }

    SystemHeap(
            BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
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
                budget -> {
                    BackEnds.Choice choice = backEnds.choose(config.backend());
                    return choice.opened().then(source -> {
                        if (!choice.passedOver().isEmpty()) {
                            log.info(
                                    "heap '{}' has its memory from {}",
                                    heap,
                                    choice.word() + ", since " + choice.passedOver());
                        }
                        return PooledSource.over(source, heap, syscalls, headroom, budget);
                    });
                });
    }

    /** Takes the heap away. Its buffers live on. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
