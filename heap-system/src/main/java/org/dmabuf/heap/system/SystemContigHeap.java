// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.ContiguousSource;
import org.dmabuf.heap.linux.syscall.Syscalls;
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
 * Component of the system-contig heap: buffers of one physical run of 2 MiB each, made on demand, for devices without
 * an IOMMU. It exists only with a configuration, because each buffer takes 2 MiB and the machine may run out of such
 * runs.
 *
 * <p>{@link HeapStart} registers the service once a back end works.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = SystemContigHeap.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = SystemContigHeap.Config.class)
@Capability(
        namespace = "osgi.service",
        attribute = {
            "objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter'",
            HeapProperties.TYPE + "=system-contig"
        })
public final class SystemContigHeap {
    static final String PID = "org.dmabuf.heap.system.contig";

    private static final String TYPE = "system-contig";
    private static final String HUGE_PAGE = "huge-page";
    private static final String LARGE_FOLIO = "large-folio";

    /**
     * Configuration of the system-contig heap. A change restarts the heap; its buffers stay valid. An invalid value
     * leaves the heap unchanged.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF system-contig heap",
            description = "Buffers of one physical run of 2 MiB each, made on demand")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'")
        String heap_name() default TYPE;

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default -1;

        /** {@return {@code heap.priority}; below that of the contiguous heap, whose buffers are of the exact size} */
        @AttributeDefinition(
                name = "Priority",
                description = "A request that names no heap asks the heaps in order of priority, highest first")
        int heap_priority() default -70;

        /** {@return the back end} */
        @AttributeDefinition(
                name = "Back end",
                description = "The source of the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The first of the following that works"),
                    @Option(value = HUGE_PAGE, label = "Huge pages, which the machine has set aside"),
                    @Option(value = LARGE_FOLIO, label = "Large folios of ordinary memory")
                })
        String backend() default BackEnds.AUTO;
    }

    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the back ends, then announces the heap. If the machine lacks a resource now, this happens later.
     *
     * @param context the context that registers the service
     * @param config the name, the id, the priority and the back end
     * @param properties the properties of the configuration
     */
    @Activate
    public SystemContigHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(SystemContigHeap.class));
    }

    SystemContigHeap(
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
                HeapSettings.of(PID, TYPE, properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(log::warn);
        String heap = settings.heap();
        BackEnds backEnds = new BackEnds(settings)
                .with(HUGE_PAGE, () -> onHugePages(heap, config, headroom))
                .with(LARGE_FOLIO, () -> OpenedHeap.of(ContiguousSource.inLargeFolios(heap, syscalls, headroom)));
        start.configure(
                settings,
                () -> {
                    backEnds.requireWord(config.backend());
                    return config.backend();
                },
                word -> ChosenBackEnd.open(backEnds, word, heap, log));
    }

    /** If the machine has no huge pages, only a heap that is configured to use them waits for them. */
    private OpenedHeap onHugePages(String heap, Config config, Headroom headroom) {
        if (config.backend().equals(BackEnds.AUTO)) {
            ContiguousSource.requireHugePages(heap);
        }
        return OpenedHeap.of(ContiguousSource.onHugePages(heap, syscalls, headroom));
    }

    /** Withdraws the heap. Its buffers stay valid. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
