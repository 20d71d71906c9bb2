// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.nativeclient.protocol.MalformedPacketException;
import org.dmabuf.heap.nativeclient.protocol.PacketHeader;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.dmabuf.heap.nativeclient.protocol.Request;

/**
 * Requests to the gateway for one listener. Each request has a connection of its own meanwhile, so that no request
 * waits for another. A request outlives a restart of the gateway, and waits for a gateway that does not listen.
 *
 * <p>Any thread may call any method.
 */
final class GatewaySession implements AutoCloseable {
    private static final long PAUSE_NANOS = 20_000_000;
    /** A client of a node can expect no other property that a heap announces in {@code heap.emulates}. */
    private static final List<String> EMULATIONS = List.of("contiguous");

    private final Gateway gateway;
    private final Client client;
    private final ConnectionPool pool;
    private final Set<GatewayConnection> busy = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean closed = new AtomicBoolean();

    GatewaySession(Gateway gateway, Client client) {
        this.gateway = gateway;
        this.client = client;
        pool = gateway.enter(client.id());
    }

    /**
     * Allocates a buffer.
     *
     * @param node names the heap, or leaves the choice to the mask
     * @param mask mask of heaps, 0 if the node names the heap
     * @param pid thread group of the caller, shown to operators
     * @param lead passed to another thread if the wait is long
     * @return the buffer, which the caller closes
     */
    Memory allocate(Node node, long mask, long length, int pid, Lead lead) throws GatewayRefusal {
        Request request = new Request.Allocate(
                length,
                0,
                mask,
                false,
                0, // a heap of the kernel refuses at once, too
                pid,
                "",
                node.heap().isEmpty() ? List.of() : List.of(node.heap()),
                "",
                List.of(),
                List.of(),
                node.emulated() ? EMULATIONS : List.of());
        GatewayConnection.Answer answer = exchange(request, lead);
        OwnedFd descriptor = answer.descriptor()
                .orElseThrow(() ->
                        new GatewayRefusal(-Errno.ENODEV.number(), "the gateway has sent no descriptor of the buffer"));
        return new Memory(descriptor, ((Reply.Buffer) answer.reply()).memfd());
    }

    /**
     * Lists the heaps.
     *
     * @param lead passed to another thread if the wait is long
     * @return all heaps that the client may use
     */
    List<Reply.Heap> heaps(Lead lead) throws GatewayRefusal {
        List<Reply.Heap> heaps = new ArrayList<>();
        Reply.HeapList part;
        do {
            part = (Reply.HeapList)
                    exchange(new Request.Heaps(heaps.size()), lead).reply();
            heaps.addAll(part.heaps());
        } while (!part.heaps().isEmpty() && heaps.size() < part.total());
        return heaps;
    }

    private GatewayConnection.Answer exchange(Request request, Lead lead) throws GatewayRefusal {
        long begin = System.nanoTime();
        while (true) {
            GatewayConnection kept = pool.take();
            try {
                GatewayConnection connection = kept == null ? connect(lead) : kept;
                GatewayConnection.Answer answer = busy(connection, request, lead);
                pool.give(connection);
                return successful(answer);
            } catch (FdSocketException | MalformedPacketException | IllegalStateException e) {
                boolean late = isLate(e);
                requirePatience(begin, late ? lateness() : failure(e), late);
            } catch (GatewayRefusal e) {
                requirePatience(begin, e, !e.isBusy());
            }
            if (kept == null) { // a kept connection can be one to an earlier gateway
                LockSupport.parkNanos(this, PAUSE_NANOS);
            }
        }
    }

    private GatewayRefusal failure(RuntimeException cause) {
        return new GatewayRefusal(
                -Errno.ENODEV.number(),
                "the gateway at " + gateway + " did not serve the request: " + cause.getMessage()
                        + "; start the gateway with heap-native configured");
    }

    private GatewayRefusal lateness() {
        return new GatewayRefusal(
                -Errno.ENOMEM.number(),
                "the gateway at " + gateway + " did not answer within "
                        + gateway.timeout().toSeconds()
                        + " s; look at its log, restart it if it hangs, or raise gateway.timeout");
    }

    private static boolean isLate(RuntimeException cause) {
        return cause instanceof FdSocketException socket && socket.errno() == Errno.ETIMEDOUT;
    }

    private void requirePatience(long begin, GatewayRefusal refusal, boolean last) throws GatewayRefusal {
        if (last
                || closed.get()
                || System.nanoTime() - begin > gateway.patience().toNanos()) {
            throw refusal;
        }
    }

    private static GatewayConnection.Answer successful(GatewayConnection.Answer answer) throws GatewayRefusal {
        if (answer.reply() instanceof Reply.Failure failure) {
            answer.descriptor().ifPresent(OwnedFd::close);
            throw new GatewayRefusal(failure.status(), failure.sentence());
        }
        return answer;
    }

    private GatewayConnection connect(Lead lead) throws GatewayRefusal {
        lead.pass(); // the gateway can be away
        PacketSocket socket = gateway.connect();
        boolean welcome = false;
        try {
            GatewayConnection connection = new GatewayConnection(socket);
            successful(busy(connection, hello(), lead));
            welcome = true;
            return connection;
        } finally {
            if (!welcome) {
                socket.close();
            }
        }
    }

    private Request hello() {
        return new Request.Hello(
                PacketHeader.VERSION,
                PacketHeader.VERSION,
                true,
                client.pid(),
                client.id().kind(),
                client.id().name(),
                client.origin());
    }

    /** Makes a request on a connection that {@link #close} can find, and closes the connection if that fails. */
    private GatewayConnection.Answer busy(GatewayConnection connection, Request request, Lead lead) {
        boolean usable = false;
        busy.add(connection);
        try {
            if (closed.get()) {
                throw new IllegalStateException("the client has ended");
            }
            GatewayConnection.Answer answer = connection.exchange(request, lead);
            usable = true;
            return answer;
        } finally {
            busy.remove(connection);
            if (!usable) {
                connection.close();
            }
        }
    }

    /** Ends all requests. Closing twice does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            busy.forEach(GatewayConnection::close);
            gateway.leave(client.id());
        }
    }
}
