// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.io.IOException;
import java.util.Map;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.component.Settings;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.UserDatabase;
import org.osgi.framework.BundleContext;
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
 * Component of the socket for native programs. Without a configuration there is no socket. An invalid configuration
 * leaves the previous one in force, and so does a path that cannot be opened.
 */
@Component(
        immediate = true,
        service = {},
        configurationPid = NativeClients.PID,
        configurationPolicy = ConfigurationPolicy.REQUIRE)
@Designate(ocd = NativeClients.Config.class)
public final class NativeClients {
    static final String PID = "org.dmabuf.heap.native";

    private static final Logger LOG = LoggerFactory.getLogger(NativeClients.class);

    /** Configuration of the socket. A change keeps the connections, unless it changes the path or the access. */
    @ObjectClassDefinition(
            name = "DMA-BUF native clients",
            description = "The socket on which programs outside the framework get memory")
    public @interface Config {
        /** {@return the absolute path of the socket, at most 107 bytes} */
        @AttributeDefinition(name = "Path", description = "The absolute path of the socket, at most 107 bytes")
        String path() default "/run/dmaheap-gateway/native.socket";

        /** {@return the processes that may connect} */
        @AttributeDefinition(
                name = "Access",
                description = "The processes that may connect: owner (the gateway's user and root), group:NAME, or all")
        String access() default "owner";

        /** {@return entries {@code HEAP=CLIENT}: the clients that may use a heap} */
        @AttributeDefinition(
                name = "Clients of a heap",
                description =
                        "Entries HEAP=KIND:NAME, separated by blanks, such as system=uid:1000. * matches any text."
                                + " A client without an entry may use no heap. The broker's own rules apply as well")
        String[] allow() default {};

        /** {@return entries {@code NAME=CLIENT}: the clients that may open a published buffer} */
        @AttributeDefinition(
                name = "Clients of published buffers",
                description = "Entries NAME=KIND:NAME, separated by blanks, such as camera/*=uid:1000. * matches any"
                        + " text. A client without an entry may open no published buffer")
        String[] published() default {};

        /** {@return users whose processes may request memory for other clients} */
        @AttributeDefinition(
                name = "Agents",
                description = "Users whose processes may request memory for other clients, by name or number; if empty,"
                        + " the gateway's user and root")
        String[] agents() default {};

        /** {@return the most connections of all clients} */
        @AttributeDefinition(name = "Connections", description = "The most connections of all clients", min = "1")
        int connections() default 256;

        /** {@return the most connections of one client} */
        @AttributeDefinition(
                name = "Connections of a client",
                description = "The most connections of one client",
                min = "1")
        int connections_client() default 32;
    }

    private final HeapBroker broker;
    private final HeapMonitor monitor;
    private final Publications publications;
    /** Null while the socket is not open. */
    private NativeServer server;

    /**
     * Opens the socket. If that fails, the log has the reason, and the next change of the configuration tries again.
     *
     * @param broker broker of this bundle
     * @param monitor usage of the clients
     * @param context context in which published buffers are found
     * @param config the path, the permissions and the limits
     * @param properties the properties of the configuration
     */
    @Activate
    public NativeClients(
            @Reference HeapBroker broker,
            @Reference HeapMonitor monitor,
            BundleContext context,
            Config config,
            Map<String, Object> properties) {
        this.broker = broker;
        this.monitor = monitor;
        publications = new PublishedServices(context);
        configure(config, properties);
    }

    @Modified
    void configure(Config config, Map<String, Object> properties) {
        Settings.of(PID, properties).unread(Config.class).forEach(LOG::warn);
        try {
            apply(NativeSettings.of(config, properties, UserDatabase.local()));
        } catch (HeapException e) {
            LOG.error("{}; {}", e.reason(), consequence());
        } catch (FdSocketException | IOException e) {
            LOG.error("opening the socket for native clients failed: {}; {}", e.getMessage(), consequence());
        }
    }

    private String consequence() {
        return server == null ? "native clients are not served" : "the previous settings stay in force";
    }

    private void apply(NativeSettings settings) {
        if (server != null && server.place().equals(settings.place())) {
            server.apply(settings);
            return;
        }
        if (server != null && server.place().path().equals(settings.place().path())) {
            replace(settings);
        } else {
            NativeServer opened = start(settings);
            deactivate();
            server = opened;
        }
        LOG.info("native clients are served at {}", settings.place().path());
    }

    /** Two sockets cannot have one path, so the previous one is closed first, and opened again after a failure. */
    private void replace(NativeSettings settings) {
        NativeSettings previous = server.settings();
        deactivate();
        try {
            server = start(settings);
        } finally {
            if (server == null) {
                server = start(previous);
            }
        }
    }

    private NativeServer start(NativeSettings settings) {
        return NativeServer.start(settings, broker, monitor, publications);
    }

    @Deactivate
    void deactivate() {
        if (server != null) {
            server.close();
            server = null;
        }
    }
}
