// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.io.IOException;
import java.util.Map;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.component.Settings;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.Designate;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component of the metrics. Without a configuration there is no endpoint. An invalid configuration leaves the previous
 * one in force, and so does an address that cannot be opened.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = Metrics.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = Metrics.Config.class)
public final class Metrics {
    static final String PID = "org.dmabuf.heap.metrics";

    private static final Logger LOG = LoggerFactory.getLogger(Metrics.class);

    /** Configuration of the endpoint. A change opens it anew. */
    @ObjectClassDefinition(
            name = "DMA-BUF heap metrics",
            description = "Figures of heaps and clients, which Prometheus reads over HTTP")
    public @interface Config {
        /** {@return the IP address on which the endpoint listens} */
        @AttributeDefinition(
                name = "Address",
                description = "The IP address on which the endpoint listens. By default only processes of this machine"
                        + " reach it")
        String address() default "127.0.0.1";

        /** {@return the TCP port; 0 for any free port} */
        @AttributeDefinition(
                name = "Port",
                description = "The TCP port; 0 for any free port, which the log reports",
                min = "0",
                max = "65535")
        int port() default 9795;

        /** {@return the most clients with figures of their own} */
        @AttributeDefinition(
                name = "Clients",
                description = "The most clients with figures of their own; those of further clients are summed under"
                        + " the name 'other'",
                min = "0")
        int clients() default 32;
    }

    private final HeapMonitor monitor;
    /** Null while the endpoint is not open. */
    private Endpoint endpoint;

    /**
     * Opens the endpoint. If that fails, the log has the reason, and the next change of the configuration tries again.
     *
     * @param monitor source of the figures
     * @param config the configuration
     * @param properties the properties of the configuration
     */
    @Activate
    public Metrics(@Reference HeapMonitor monitor, Config config, Map<String, Object> properties) {
        this.monitor = monitor;
        monitor.timeAllocations();
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        Settings.of(PID, properties).unread(Config.class).forEach(LOG::warn);
        try {
            replace(MetricsSettings.of(config, properties));
        } catch (HeapException e) {
            LOG.error("{}; {}", e.reason(), consequence());
        } catch (IOException e) {
            LOG.error("opening the metrics endpoint failed: {}; {}", e.getMessage(), consequence());
        }
    }

    private String consequence() {
        return endpoint == null ? "there are no metrics" : "the previous settings stay in force";
    }

    /** Two endpoints may overlap in their port, so the previous one is closed first, and opened again on a failure. */
    private void replace(MetricsSettings settings) throws IOException {
        MetricsSettings previous = endpoint == null ? null : endpoint.settings();
        deactivate();
        try {
            endpoint = Endpoint.open(settings, monitor);
        } finally {
            if (endpoint == null && previous != null) {
                endpoint = Endpoint.open(previous, monitor);
            }
        }
        LOG.info("metrics are served at {}", endpoint.url());
        if (!settings.address().isLoopbackAddress()) {
            LOG.warn(
                    "the metrics are not encrypted, and every process that reaches {} can read them; limit that by a"
                            + " firewall, or set address = 127.0.0.1 in etc/{}.cfg",
                    endpoint.url(),
                    PID);
        }
    }

    /** {@return the address of the metrics, of an open endpoint} */
    String url() {
        return endpoint.url();
    }

    @Deactivate
    void deactivate() {
        if (endpoint != null) {
            endpoint.close();
            endpoint = null;
        }
    }
}
