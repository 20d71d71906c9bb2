// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.HeapException;
import org.junit.jupiter.api.Test;

class MetricsTest {
    private static Metrics.Config config(Map<String, String> configured) {
        return (Metrics.Config) Proxy.newProxyInstance(
                Metrics.Config.class.getClassLoader(), new Class<?>[] {Metrics.Config.class}, (_, method, _) -> {
                    String value = configured.get(method.getName());
                    if (value == null) {
                        return method.getDefaultValue();
                    }
                    return method.getReturnType() == int.class ? (Object) Integer.valueOf(value) : value;
                });
    }

    private static MetricsSettings settings(Map<String, String> configured) {
        return MetricsSettings.of(config(configured), configured);
    }

    @Test
    void it_listens_on_loopback_by_default() {
        MetricsSettings settings = settings(Map.of());
        assertEquals(InetAddress.ofLiteral("127.0.0.1"), settings.address());
        assertEquals(9795, settings.port());
        assertEquals(32, settings.clients());
    }

    @Test
    void an_invalid_setting_is_named_with_its_remedy() {
        for (Map<String, String> wrong : List.of(
                Map.of("address", "localhost"),
                Map.of("address", ""),
                Map.of("port", "65536"),
                Map.of("port", "-1"),
                Map.of("clients", "1001"))) {
            String name = wrong.keySet().iterator().next();
            String reason =
                    assertThrows(HeapException.class, () -> settings(wrong)).reason();
            assertTrue(reason.startsWith("invalid " + name + " = ") && reason.contains(": expected "), reason);
        }
    }

    @Test
    void a_port_that_cannot_be_opened_keeps_the_endpoint() throws IOException {
        Map<String, String> first = Map.of("port", "0");
        Metrics metrics = new Metrics(new MadeUpMonitor(), config(first), Map.copyOf(first));
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            Map<String, String> used = Map.of("port", Integer.toString(other.getLocalPort()));
            metrics.configure(config(used), Map.copyOf(used));
            try (InputStream text = URI.create(metrics.url()).toURL().openStream()) {
                assertTrue(text.readAllBytes().length > 0);
            }
        } finally {
            metrics.deactivate();
        }
    }

    @Test
    void it_times_allocations_and_an_invalid_change_keeps_the_endpoint() {
        MadeUpMonitor monitor = new MadeUpMonitor();
        Map<String, String> first = Map.of("port", "0");
        Metrics metrics = new Metrics(monitor, config(first), Map.copyOf(first));
        try {
            assertTrue(monitor.timed);
            String url = metrics.url();
            Map<String, String> wrong = Map.of("port", "0", "address", "nowhere");
            metrics.configure(config(wrong), Map.copyOf(wrong));
            assertEquals(url, metrics.url());
        } finally {
            metrics.deactivate();
        }
    }
}
