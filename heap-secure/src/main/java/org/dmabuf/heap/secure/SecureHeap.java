// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.component.BackEnds;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.component.HeapStart;
import org.dmabuf.heap.linux.component.OpenedHeap;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.secret.SecretSource;
import org.dmabuf.heap.linux.source.DmaHeapSource;
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
 * The heap for what the gateway passes on and must not see: keys, decrypted audio. Nobody may allocate from it who is
 * not let by the broker's policy, and no process gets a descriptor whose user is not in {@link Config#heap_peers}.
 *
 * <p>{@link HeapStart} registers the service; Declarative Services would offer it before the kernel was asked
 * whether it gives memory this way: no memory, no service.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = SecureHeap.PID)
@Designate(ocd = SecureHeap.Config.class)
@Capability(
        namespace = "osgi.service",
        attribute = {"objectClass:List<String>='org.dmabuf.heap.spi.HeapExporter'", HeapProperties.TYPE + "=secure"})
public final class SecureHeap {
    static final String PID = "org.dmabuf.heap.secure";

    private static final String DMA_HEAP = "dma-heap";
    private static final String MEMFD_SECRET = "memfd_secret";

    private static final Path PASSWD = Path.of("/etc/passwd");

    /**
     * What can be configured. A change takes the heap away and brings it back; buffers of it live on. A value that is
     * wrong leaves the heap as it is.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF protected heap",
            description = "Memory that only its receivers see, for handing secrets on")
    public @interface Config {
        /** {@return {@code heap.name}, unique among heaps} */
        @AttributeDefinition(
                name = "Name",
                description = "Unique among heaps; 1 to 64 characters without blanks, '/' and '..'")
        String heap_name() default "secure";

        /** {@return {@code heap.id}, unique among heaps; -1 for none} */
        @AttributeDefinition(
                name = "Id",
                description = "The heap's bit in a mask of heaps, unique among heaps: 0 to 63, or -1 for none",
                min = "-1",
                max = "63")
        int heap_id() default 3;

        /** {@return {@code heap.priority}: below the others, since who names no heap wants no secret memory} */
        @AttributeDefinition(
                name = "Priority",
                description = "A heap of higher priority is asked first by requests that name none")
        int heap_priority() default -100;

        /** {@return whether the gateway may map buffers; it hands them on unseen if not} */
        @AttributeDefinition(
                name = "Mappable",
                description = "Whether bundles of the gateway may map buffers of this heap themselves")
        boolean heap_mappable() default false;

        /** {@return users whose processes may be sent a descriptor; nobody's when empty} */
        @AttributeDefinition(
                name = "Peers",
                description = "Users whose processes may be sent a descriptor, by number or name; nobody's when empty")
        String[] heap_peers() default {};

        /** {@return what makes the memory} */
        @AttributeDefinition(
                name = "Back end",
                description = "What makes the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The best that there is"),
                    @Option(value = DMA_HEAP, label = "A protected heap of the kernel"),
                    @Option(value = MEMFD_SECRET, label = "memfd_secret, which emulates protected memory")
                })
        String backend() default BackEnds.AUTO;

        /** {@return the kernel's names of protected heaps, the first that serves is taken} */
        @AttributeDefinition(
                name = "Nodes",
                description = "Names of protected heaps below /dev/dma_heap, with blanks between; the first that"
                        + " serves")
        String[] nodes() default {
            "protected,secure-video", "protected,trusted-ui", "protected,secure-video-record"
        };
    }

    /** What a configuration says, checked. */
    private record Plan(BackEnds backEnds, List<Integer> peers) {}

    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the kernel, then announces the heap. A machine that has no such memory is told of once, as a warning, and
     * has no such heap.
     *
     * @param context registers the service
     * @param config name, id, priority, who may have descriptors, and whether the gateway may look
     * @param properties the configuration's own
     */
    @Activate
    public SecureHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(SecureHeap.class));
    }

    SecureHeap(
            BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
        this.syscalls = syscalls;
        this.log = log;
        start = HeapStart.of(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        HeapSettings settings =
                HeapSettings.of(PID, "secure", properties, config.heap_name(), config::heap_id, config::heap_priority);
        settings.unread(Config.class).forEach(log::warn);
        String heap = settings.heap();
        start.configure(settings, () -> plan(config, settings), plan -> {
            BackEnds.Choice choice = plan.backEnds().choose(config.backend());
            if (choice.isNone()) {
                log.warn("heap '{}' is not announced, since {}", heap, choice.passedOver());
                return OpenedHeap.none();
            }
            return choice.opened()
                    .with(HeapProperties.PEERS, plan.peers())
                    .with(HeapProperties.RESTRICTED, true)
                    .then(source -> {
                        if (!choice.passedOver().isEmpty()) {
                            log.info("heap '{}' only emulates protected memory, since {}", heap, choice.passedOver());
                        }
                        return source;
                    });
        });
    }

    private Plan plan(Config config, HeapSettings settings) {
        String heap = settings.heap();
        List<String> nodes = settings.nodes("nodes", config.nodes());
        boolean mappable = settings.flag(HeapProperties.MAPPABLE, config::heap_mappable);
        Headroom headroom = Headroom.machine();
        String remedy = "take a kernel with a TEE that has one, or name it by " + settings.place("nodes");
        BackEnds backEnds = new BackEnds(settings)
                .with(
                        DMA_HEAP,
                        () -> BackEnds.firstNode(
                                settings, nodes, node -> device(settings, node, syscalls), "protected", remedy))
                .with(MEMFD_SECRET, () -> OpenedHeap.of(SecretSource.open(heap, syscalls, headroom, mappable)));
        backEnds.requireWord(config.backend());
        return new Plan(backEnds, new Users(settings, PASSWD).ids(config.heap_peers()));
    }

    private static OpenedHeap device(HeapSettings settings, String node, Syscalls syscalls) {
        String heap = settings.heap();
        return OpenedHeap.of(DmaHeapSource.openWithOwnMemory(heap, node, syscalls))
                .with(HeapProperties.PROTECTED, true)
                .then(source -> {
                    if (Boolean.FALSE.equals(source.properties().get(HeapProperties.MAPPABLE))) {
                        return source;
                    }
                    throw HeapException.of(
                            Errno.EINVAL,
                            heap,
                            "the CPU maps memory of " + DmaHeapSource.FOLDER + node
                                    + ", which therefore protects nothing; name a protected heap by "
                                    + settings.place("nodes"));
                });
    }

    /** Takes the heap away. Its buffers live on. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
