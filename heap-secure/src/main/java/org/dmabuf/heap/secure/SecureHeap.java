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
 * Component of the protected heap, for content that the gateway passes on and must not see, such as keys and decrypted
 * audio. Only clients that the broker's policy permits may allocate from it. Only processes of users in {@link
 * Config#heap_peers} get a descriptor.
 *
 * <p>{@link HeapStart} registers the service once a back end works. Declarative Services would register it earlier,
 * although no back end may work.
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
     * Configuration of the protected heap. A change restarts the heap; its buffers stay valid. An invalid value leaves
     * the heap unchanged.
     */
    @ObjectClassDefinition(
            name = "DMA-BUF protected heap",
            description = "Memory that only its receivers can read, to hand secrets on")
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

        /**
         * {@return {@code heap.priority}; below all others, since a request that names no heap needs no secret memory}
         */
        @AttributeDefinition(
                name = "Priority",
                description = "A request that names no heap asks the heaps in order of priority, highest first")
        int heap_priority() default -100;

        /** {@return whether bundles of the gateway may map buffers; otherwise they can only pass descriptors on} */
        @AttributeDefinition(
                name = "Mappable",
                description = "Whether bundles of the gateway may map buffers of this heap themselves")
        boolean heap_mappable() default false;

        /** {@return users whose processes may receive a descriptor; if empty, no process may} */
        @AttributeDefinition(
                name = "Peers",
                description = "Users whose processes may receive a descriptor, by number or name; if empty, no process")
        String[] heap_peers() default {};

        /** {@return the back end} */
        @AttributeDefinition(
                name = "Back end",
                description = "The source of the memory; auto takes the first of the others that the machine permits",
                options = {
                    @Option(value = BackEnds.AUTO, label = "The first of the following that works"),
                    @Option(value = DMA_HEAP, label = "A protected heap of the kernel"),
                    @Option(value = MEMFD_SECRET, label = "memfd_secret, which emulates protected memory")
                })
        String backend() default BackEnds.AUTO;

        /** {@return names of protected heaps of the kernel; the first that works is used} */
        @AttributeDefinition(
                name = "Nodes",
                description = "Names of protected heaps below /dev/dma_heap, separated by blanks; the first that"
                        + " works is used")
        String[] nodes() default {"protected,secure-video", "protected,trusted-ui", "protected,secure-video-record"};
    }

    /** The checked configuration. */
    private record Plan(BackEnds backEnds, List<Integer> peers) {}

    private final Syscalls syscalls;
    private final Logger log;
    private final HeapStart start;

    /**
     * Tries the back ends, then announces the heap. On a machine without protected memory, the heap is not announced,
     * and one warning is logged.
     *
     * @param context the context that registers the service
     * @param config the name, the id, the priority, the peers that may receive descriptors, and whether the gateway may
     *     map
     * @param properties the properties of the configuration
     */
    @Activate
    public SecureHeap(BundleContext context, Config config, Map<String, Object> properties) {
        this(context, config, properties, Syscalls.linux(), LoggerFactory.getLogger(SecureHeap.class));
    }

    SecureHeap(BundleContext context, Config config, Map<String, Object> properties, Syscalls syscalls, Logger log) {
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
                return choice.openedOrNone();
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
        String remedy = "use a kernel and a TEE that have one, or name it by " + settings.place("nodes");
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
                            "the CPU can map memory of " + DmaHeapSource.FOLDER + node
                                    + ", which therefore protects nothing; name a protected heap by "
                                    + settings.place("nodes"));
                });
    }

    /** Withdraws the heap. Its buffers stay valid. */
    @Deactivate
    void withdraw() {
        start.close();
    }
}
