// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.seccomp.MemfdFileSystem;
import org.dmabuf.heap.linux.seccomp.SeccompListener;
import org.dmabuf.heap.linux.seccomp.StopSignal;
import org.dmabuf.heap.linux.seccomp.TraceRight;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** All clients with a listener. Any thread may call any method. */
final class Clients implements AutoCloseable {
    private static final QuietLog LOG = new QuietLog(Clients.class);
    private static final Duration END = Duration.ofSeconds(5);

    private final Gateway gateway;
    private final MemfdFileSystem memfds = MemfdFileSystem.find();
    private final Limit<ClientId> limit;
    private final int calls;
    private final StopSignal stop = new StopSignal();
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * Makes an object without clients.
     *
     * @param limit on listeners
     * @param calls calls of one listener that wait for the gateway at the same time
     */
    Clients(Gateway gateway, Limit<ClientId> limit, int calls) {
        this.gateway = gateway;
        this.limit = limit;
        this.calls = calls;
    }

    /**
     * Serves a listener from now on.
     *
     * @param descriptor of the listener, which is detached; after an exception the caller closes it
     * @throws AttachmentRefusal if the listener is not served
     */
    void attach(OwnedFd descriptor, Client client) throws AttachmentRefusal {
        requireRight(client);
        if (!limit.enter(client.id())) {
            throw new AttachmentRefusal(
                    Errno.EAGAIN,
                    "attaching " + client + " failed: the limit of listeners is " + limit
                            + "; end other processes of this client, or raise limit.listeners");
        }
        boolean attached = false;
        SeccompListener listener = null;
        try {
            listener = SeccompListener.of(descriptor, stop);
            serve(listener, client);
            attached = true;
        } catch (IllegalArgumentException e) {
            throw new AttachmentRefusal(Errno.EINVAL, e.getMessage());
        } finally {
            if (!attached) {
                if (listener != null) {
                    listener.close();
                }
                limit.leave(client.id());
            }
        }
        LOG.info("{} is attached", client);
    }

    private static void requireRight(Client client) throws AttachmentRefusal {
        if (!TraceRight.over(client.pid())) {
            throw new AttachmentRefusal(
                    Errno.EPERM,
                    "attaching " + client + " failed: the agent may not read the memory of the process; "
                            + Agent.RIGHT);
        }
    }

    private void serve(SeccompListener listener, Client client) {
        Counters counters = new Counters();
        GatewaySession session = new GatewaySession(gateway, client);
        boolean served = false;
        try {
            new ClientService(
                            listener,
                            session,
                            new CallRouter(listener, client, new BufferCalls(listener, gateway, memfds, counters)),
                            new NodeCalls(Syscalls.linux(), listener, client, session, counters),
                            client.toString(),
                            calls,
                            () -> end(client, counters))
                    .start();
            served = true;
        } finally {
            if (!served) {
                session.close();
            }
        }
    }

    private void end(Client client, Counters counters) {
        limit.leave(client.id());
        LOG.info("{} has ended: {}", client, counters);
    }

    /** {@return number of listeners} */
    int count() {
        return limit.count();
    }

    /** Ends the service of all clients, whose calls on nodes then fail with ENOSYS. Closing twice does nothing. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        stop.raise();
        if (limit.awaitEmpty(END)) {
            stop.close(); // otherwise a thread still uses it, or waits for a call that its client received itself
        }
    }
}
