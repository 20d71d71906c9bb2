// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.gateway.control.client.Conversation;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;
import org.dmabuf.heap.gateway.control.wire.SocketPlaces;
import org.dmabuf.heap.gateway.control.wire.User;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.wiring.FrameworkWiring;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component that opens the gateway's control socket, on which the gateway's user and root see its state and get a
 * shell.
 *
 * <p>It works without a broker and without Gogo; the status reports what is missing.
 */
@Component(service = {})
public final class ControlSocket {
    /** Framework property: the launcher sets it to true if the gateway runs longer than one command or script. */
    private static final String OPEN = "control.open";

    /** Framework property of the launcher: the version of the distribution. */
    private static final String VERSION = "gateway.version";

    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** The current broker; null without one. */
    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC)
    volatile HeapBroker broker;

    private final BundleContext context;
    private final Bundle framework;
    private final Sessions sessions = new Sessions();
    private final HeapProbe heaps = new HeapProbe(() -> broker);
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(body -> {
        Thread thread = new Thread(body, "control: timer");
        thread.setDaemon(true);
        return thread;
    });
    private final Optional<ControlServer> server;

    /** @param context context of this bundle */
    @Activate
    public ControlSocket(BundleContext context) {
        this.context = context;
        this.framework = context.getBundle(Constants.SYSTEM_BUNDLE_LOCATION);
        this.server = Boolean.parseBoolean(context.getProperty(OPEN)) ? open() : Optional.empty();
    }

    private Optional<ControlServer> open() {
        try {
            int user = User.own();
            Optional<SocketPlace> place = SocketPlaces.ofThisProcess(context.getProperty(SocketPlaces.SETTING))
                    .toOpen();
            if (place.isEmpty()) {
                LOG.info("the control socket is off: {} = {}", SocketPlaces.SETTING, SocketPlaces.NOWHERE);
                return Optional.empty();
            }
            return open(place.get(), user);
        } catch (IOException | RuntimeException | LinkageError e) {
            LOG.warn(
                    "opening the control socket failed, so 'gateway status' and '--attach' cannot work: {}; set {} in"
                            + " etc/gateway.properties",
                    Sentence.of(e),
                    SocketPlaces.SETTING);
            return Optional.empty();
        }
    }

    private Optional<ControlServer> open(SocketPlace place, int user) throws IOException {
        SessionSettings settings = SessionSettings.of(context::getProperty);
        Connection.Server serving = new Connection.Server(
                Connection.hello(version()),
                sessions,
                (request, in, outbox) -> interpreter(settings, request, in, outbox),
                this::report,
                timer);
        try {
            return Optional.of(serve(BoundSocket.open(place, user), serving));
        } catch (BoundSocket.InUseException e) {
            LOG.info(
                    "no control socket was opened: {} listens on {}; to run both, set {} in etc/gateway.properties or"
                            + " use --socket",
                    listener(place),
                    place.path(),
                    SocketPlaces.SETTING);
            return Optional.empty();
        }
    }

    /** Serves a bound socket, or closes it: on a bound socket without a server, clients would wait. */
    private static ControlServer serve(BoundSocket socket, Connection.Server serving) throws IOException {
        boolean served = false;
        try {
            ControlServer server = new ControlServer(socket, User::isOwnOrRoot, serving);
            LOG.info("the control socket is {}", socket.path());
            server.start(); // last: after a later failure it would stay open
            served = true;
            return server;
        } finally {
            if (!served) {
                socket.close();
            }
        }
    }

    private Interpreter interpreter(SessionSettings settings, Request request, Inbox in, Outbox outbox)
            throws Interpreter.AbsentException {
        try {
            return new GogoInterpreters(context, settings).create(request, in, outbox);
        } catch (LinkageError e) {
            throw new Interpreter.AbsentException(
                    "this gateway has no shell: its bundles lack a class, " + e.getMessage());
        }
    }

    private static String listener(SocketPlace place) {
        try (Conversation conversation = Conversation.open(place, Request.of(Request.Verb.STATUS, ""))) {
            return "the gateway of process " + conversation.hello().words().get(1);
        } catch (IOException | RuntimeException e) {
            return "another process, which does not answer like a gateway,";
        }
    }

    private String version() {
        String version = context.getProperty(VERSION);
        return version == null ? context.getBundle().getVersion().toString() : version;
    }

    private StatusReport report() {
        ProcessHandle process = ProcessHandle.current();
        Instant now = Instant.now();
        Duration up = Duration.between(process.info().startInstant().orElse(now), now);
        List<HeapInfo> known = List.of();
        Optional<String> unknown = Optional.empty();
        try {
            known = heaps.heaps();
        } catch (HeapProbe.UnknownException e) {
            unknown = Optional.of(e.getMessage());
        }
        return new StatusReport(version(), process.pid(), up, idle(), known, unknown, sessions.report(now));
    }

    private List<IdleBundle> idle() {
        FrameworkWiring wiring = framework.adapt(FrameworkWiring.class);
        return Arrays.stream(context.getBundles())
                .flatMap(bundle -> IdleBundle.of(bundle, wiring).stream())
                .toList();
    }

    /** Ends all sessions and removes the socket. */
    @Deactivate
    public void close() {
        try {
            if (server.isPresent()) {
                server.get().close();
            }
        } catch (IOException e) {
            LOG.warn("removing the control socket failed: {}", Sentence.of(e));
        } finally {
            heaps.close();
            timer.shutdownNow();
        }
    }
}
