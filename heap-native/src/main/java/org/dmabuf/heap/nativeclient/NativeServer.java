// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Server of the socket. One thread accepts connections, and looks a few times a second for programs that left during a
 * request, or have not said HELLO. Each connection has a thread of its own.
 */
final class NativeServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NativeServer.class);

    private static final Duration LOOK = Duration.ofMillis(250);
    /** A program that does not read its replies for this long is disconnected. */
    private static final Duration SENDING = Duration.ofSeconds(10);
    /** A program that has not said HELLO after this time is disconnected. */
    private static final Duration HELLO = Duration.ofSeconds(10);

    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Duration sending;
    private final Duration hello;
    private final FdListener listener;
    private final NativeClient.Services services;
    private final Slots slots;
    private final RefusalLog refusals = new RefusalLog();
    private final Refuser refuser = new Refuser();
    private final Map<ClientConnection, Thread> connections = new ConcurrentHashMap<>();
    private final Thread accepting;
    private volatile NativeSettings settings;
    private volatile boolean closed;
    /** Whether the last accept failed, so that a lasting failure is logged once. */
    private boolean failing;

    private long looked = System.nanoTime();

    private NativeServer(
            NativeSettings settings,
            FdListener listener,
            HeapBroker broker,
            HeapMonitor monitor,
            Publications publications,
            Duration sending,
            Duration hello) {
        this.sending = sending;
        this.hello = hello;
        this.listener = listener;
        this.settings = settings;
        slots = new Slots(settings.limits());
        services = new NativeClient.Services(new Views(broker), monitor, publications, () -> this.settings.policy());
        accepting = Thread.ofPlatform().name("dmaheap-native").daemon().unstarted(this::accept);
    }

    /**
     * Opens the socket and serves it.
     *
     * @return the server, which the caller closes
     * @throws FdSocketException when the socket cannot be opened
     */
    static NativeServer start(
            NativeSettings settings, HeapBroker broker, HeapMonitor monitor, Publications publications) {
        return start(settings, broker, monitor, publications, SENDING, HELLO);
    }

    static NativeServer start(
            NativeSettings settings,
            HeapBroker broker,
            HeapMonitor monitor,
            Publications publications,
            Duration sending,
            Duration hello) {
        FdListener listener = settings.place().listen();
        boolean started = false;
        try {
            NativeServer server = new NativeServer(settings, listener, broker, monitor, publications, sending, hello);
            server.accepting.start();
            started = true;
            return server;
        } finally {
            if (!started) {
                listener.close();
            }
        }
    }

    NativeSettings.Place place() {
        return settings.place();
    }

    /** {@return the settings in force} */
    NativeSettings settings() {
        return settings;
    }

    /** Applies a changed policy and limits. Open connections stay, and their next requests follow the policy. */
    void apply(NativeSettings changed) {
        settings = changed;
        slots.limits(changed.limits());
        refusals.restart();
    }

    private void accept() {
        while (!closed) {
            try {
                serve(listener.acceptPackets(LOOK, sending, place()::permits));
                failing = false;
            } catch (FdSocketException e) {
                if (e.errno() != Errno.ETIMEDOUT && !closed) {
                    pauseAfter(e);
                }
            } catch (IllegalStateException e) { // closed before the wait
                return;
            } catch (OutOfMemoryError e) { // also at the limit of threads
                pauseAfter(e);
            }
            look();
        }
    }

    private void pauseAfter(Throwable failure) {
        if (!failing) {
            failing = true;
            LOG.error("accepting a connection failed: {}; it is repeated", failure.getMessage(), failure);
        }
        try {
            Thread.sleep(LOOK);
        } catch (InterruptedException e) {
            // The loop ends with the server.
        }
    }

    private void look() {
        long now = System.nanoTime();
        if (now - looked >= LOOK.toNanos() / 2) {
            looked = now;
            connections.keySet().forEach(connection -> {
                connection.endIfSilent();
                connection.endIfAbandoned();
            });
        }
    }

    /** Starts the thread of a connection, or closes the connection. */
    private void serve(PacketSocket socket) {
        boolean taken = false;
        try {
            PeerCredentials peer = socket.peer();
            ClientId user = ClientConnection.user(peer);
            Slots.Slot slot;
            try {
                settings.policy().requireKnown(peer.uid(), user);
                slot = slots.take(user);
            } catch (HeapException e) {
                refusals.add(user, peer, e.getMessage());
                taken = true;
                refuser.refuse(socket, e);
                return;
            }
            taken = serve(socket, peer, slot);
        } finally {
            if (!taken) {
                socket.close();
            }
        }
    }

    private boolean serve(PacketSocket socket, PeerCredentials peer, Slots.Slot slot) {
        boolean started = false;
        try {
            ClientConnection connection = new ClientConnection(socket, peer, slot, services, refusals, hello);
            Thread thread = Thread.ofPlatform()
                    .name("dmaheap-native-" + Integer.toUnsignedString(peer.pid()))
                    .daemon()
                    .unstarted(() -> {
                        try {
                            connection.run();
                        } finally {
                            connections.remove(connection);
                        }
                    });
            connections.put(connection, thread);
            try {
                thread.start();
                started = true;
            } finally {
                if (!started) {
                    connections.remove(connection);
                }
            }
            return true;
        } finally {
            if (!started) {
                slot.close();
            }
        }
    }

    /**
     * Closes the socket and every connection, and waits at most two seconds for their threads. A thread that is in the
     * code of a hanging heap ends when that code returns.
     */
    @Override
    public void close() {
        closed = true;
        listener.close();
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        await(accepting, deadline);
        refuser.close();
        connections.keySet().forEach(ClientConnection::close);
        connections.values().forEach(thread -> await(thread, deadline));
        if (!connections.isEmpty()) {
            LOG.warn("{} requests of native clients still run; they end when their heaps return", connections.size());
        }
    }

    private static void await(Thread thread, long deadline) {
        boolean interrupted = false;
        long left = deadline - System.nanoTime();
        while (left > 0 && thread.isAlive()) {
            try {
                thread.join(Duration.ofNanos(left));
            } catch (InterruptedException e) {
                interrupted = true;
            }
            left = deadline - System.nanoTime();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
