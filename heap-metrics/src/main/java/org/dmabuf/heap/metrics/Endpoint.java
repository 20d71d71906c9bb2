// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.metrics;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.dmabuf.heap.HeapMonitor;

/** HTTP server that answers {@code GET /metrics}. Its threads, connections and times are limited. */
final class Endpoint implements AutoCloseable {
    static final String PATH = "/metrics";

    /** Connections that the kernel keeps until the server accepts them. */
    private static final int BACKLOG = 16;

    /**
     * System property of Java's HTTP server: the most connections of one server. Java reads it when the first server of
     * the process is created.
     */
    private static final String MOST_CONNECTIONS = "jdk.httpserver.maxConnections";

    private static final String USUAL_CONNECTIONS = "256";

    private final MetricsSettings settings;
    private final HttpServer server;
    private final RequestThreads threads;

    private Endpoint(MetricsSettings settings, HttpServer server, RequestThreads threads) {
        this.settings = settings;
        this.server = server;
        this.threads = threads;
    }

    /**
     * Opens an endpoint.
     *
     * @throws IOException when the address or port cannot be opened, with the remedy
     */
    static Endpoint open(MetricsSettings settings, HeapMonitor monitor) throws IOException {
        if (System.getProperty(MOST_CONNECTIONS) == null) {
            System.setProperty(MOST_CONNECTIONS, USUAL_CONNECTIONS);
        }
        HttpServer server = bound(settings);
        RequestThreads threads = new RequestThreads();
        server.setExecutor(threads);
        server.createContext("/", new Scrapes(new Figures(monitor, settings.clients())));
        server.start();
        return new Endpoint(settings, server, threads);
    }

    private static HttpServer bound(MetricsSettings settings) throws IOException {
        InetSocketAddress address = new InetSocketAddress(settings.address(), settings.port());
        try {
            return HttpServer.create(address, BACKLOG);
        } catch (IOException e) {
            throw new IOException(
                    text(settings.address(), settings.port()) + ": " + e.getMessage() + "; change "
                            + settings.portPlace(),
                    e);
        }
    }

    MetricsSettings settings() {
        return settings;
    }

    /** {@return the address of the metrics, with the port in use} */
    String url() {
        return "http://" + text(settings.address(), server.getAddress().getPort()) + PATH;
    }

    private static String text(InetAddress address, int port) {
        String host = address.getHostAddress();
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }

    /** Closes the port and all connections, also of a request in progress. */
    @Override
    public void close() {
        server.stop(0);
        threads.close();
    }
}
