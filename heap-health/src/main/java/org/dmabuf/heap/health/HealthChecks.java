// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.health;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.felix.hc.api.HealthCheck;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.component.Settings;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component that registers the checks with the tag {@code dmaheap}. An executor of Felix Health Checks runs them. An
 * invalid configuration leaves the previous one in force.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = HealthChecks.PID)
@Designate(ocd = HealthChecks.Config.class)
public final class HealthChecks {
    static final String PID = "org.dmabuf.heap.health";

    private static final Logger LOG = LoggerFactory.getLogger(HealthChecks.class);
    private static final String TAG = "dmaheap";

    /** Configuration of the checks. */
    @ObjectClassDefinition(name = "DMA-BUF heap health", description = "Marks of the health checks")
    public @interface Config {
        /** {@return the share of a heap's memory or quota above which the check warns, in percent} */
        @AttributeDefinition(
                name = "Used memory",
                description = "The share of a heap's memory or quota above which the check warns, in percent",
                min = "1",
                max = "100")
        int used_percent() default 90;

        /** {@return the lingering memory of a heap above which the check warns} */
        @AttributeDefinition(
                name = "Lingering memory",
                description = "The lingering memory of a heap above which the check warns: bytes, or a number with K,"
                        + " M, G or T")
        String lingering() default "64M";

        /** {@return the socket of the agent that must run, empty without an agent} */
        @AttributeDefinition(
                name = "Agent",
                description = "The socket of the agent that must run, such as /run/dmaheap-agent/run.socket; empty"
                        + " without an agent")
        String agent_socket() default "";
    }

    private final HeapMonitor monitor;
    private final BundleContext context;
    private List<ServiceRegistration<HealthCheck>> registered = List.of();

    /**
     * Registers the checks.
     *
     * @param monitor source of the figures
     * @param context context of this bundle
     * @param config the marks
     * @param properties the properties of the configuration
     */
    @Activate
    public HealthChecks(
            @Reference HeapMonitor monitor, BundleContext context, Config config, Map<String, Object> properties) {
        this.monitor = monitor;
        this.context = context;
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        Settings.of(PID, properties).unread(Config.class).forEach(LOG::warn);
        try {
            Marks marks = Marks.of(config, properties);
            deactivate();
            register(marks);
        } catch (HeapException e) {
            LOG.error(
                    "{}; {}",
                    e.reason(),
                    registered.isEmpty() ? "there are no health checks" : "the previous settings stay in force");
        }
    }

    private void register(Marks marks) {
        List<ServiceRegistration<HealthCheck>> all = new ArrayList<>();
        all.add(register("DMA-BUF heaps: free memory", new FullCheck(monitor, marks.usedPercent())));
        all.add(register("DMA-BUF heaps: lingering memory", new LingeringCheck(monitor, marks.lingering())));
        all.add(register("DMA-BUF heaps: leaks", new LeakCheck(monitor)));
        all.add(register("DMA-BUF heaps: refused heaps", new RefusedCheck(monitor)));
        marks.agent().ifPresent(socket -> all.add(register("DMA-BUF heaps: agent", new AgentCheck(socket))));
        registered = all;
    }

    private ServiceRegistration<HealthCheck> register(String name, HealthCheck check) {
        return context.registerService(
                HealthCheck.class,
                check,
                FrameworkUtil.asDictionary(Map.of(HealthCheck.NAME, name, HealthCheck.TAGS, new String[] {TAG})));
    }

    @Deactivate
    void deactivate() {
        registered.forEach(ServiceRegistration::unregister);
        registered = List.of();
    }
}
