// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import java.net.InetAddress;
import java.util.Map;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.Settings;

/**
 * Checked configuration of the endpoint. Immutable.
 *
 * @param address where it listens
 * @param port its TCP port, 0 for any free one
 * @param portPlace the setting of the port, with its file
 * @param clients the most clients with figures of their own
 */
record MetricsSettings(InetAddress address, int port, String portPlace, int clients) {
    private static final int MOST_PORT = 65_535;
    private static final int MOST_CLIENTS = 1_000;

    /**
     * Checks a configuration.
     *
     * @throws HeapException for an invalid value
     */
    static MetricsSettings of(Metrics.Config config, Map<String, ?> properties) {
        Settings settings = Settings.of(Metrics.PID, properties);
        return new MetricsSettings(
                address(settings, config.address().strip()),
                settings.number("port", config::port, 0, MOST_PORT),
                settings.place("port"),
                settings.number("clients", config::clients, 0, MOST_CLIENTS));
    }

    private static InetAddress address(Settings settings, String text) {
        try {
            return InetAddress.ofLiteral(text); // a host name could have another address at each start
        } catch (IllegalArgumentException e) {
            throw settings.wrong("address", text, "an IP address such as 127.0.0.1 or ::1");
        }
    }
}
