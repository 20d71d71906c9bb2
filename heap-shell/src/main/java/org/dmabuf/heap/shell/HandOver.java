// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PeerCredentials;

/**
 * Transfer of buffers to and from other processes. The message that carries the descriptor has the text {@code dmaheap
 * 1 BYTES NAME}: the number of content bytes and the buffer's name.
 *
 * <p>The descriptor is exported first. So a buffer that cannot be exported, or that no process may have, is refused
 * before a socket is made or a wait begins. An interrupt of the thread ends every wait.
 */
final class HandOver {
    private static final Pattern TEXT = Pattern.compile("dmaheap 1 (\\d{1,18}) (.*)", Pattern.DOTALL);

    /** Length of one attempt. A connect that waits for the listener to accept does not end with an interrupt. */
    private static final Duration PIECE = Duration.ofMillis(250);

    private static final long PAUSE_MILLIS = 100;

    /** Errors of a peer, as opposed to errors of the socket on which this side listens. */
    private static final Set<Errno> HAS_GONE = EnumSet.of(Errno.EPIPE, Errno.ECONNRESET, Errno.ENOTCONN);

    /** Errors that mean that no process listens there yet. */
    private static final Set<Errno> NOT_YET = EnumSet.of(Errno.ENOENT, Errno.ECONNREFUSED, Errno.ETIMEDOUT);

    /**
     * A received buffer.
     *
     * @param name its name in this shell
     * @param buffer the adopted buffer with its content length
     * @param from credentials of its sender
     */
    record Received(String name, HeldBuffer buffer, PeerCredentials from) {}

    private final HeapBroker broker;
    private final Set<FdListener> waiting = ConcurrentHashMap.newKeySet();
    private volatile boolean stopped;

    HandOver(HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Waits for one process and sends it a descriptor. If a process leaves before it received the descriptor, the wait
     * goes on.
     *
     * @param buffer buffer to send; the caller keeps it
     * @param name name that is sent to the receiver
     * @param socket path of a socket that is created for this call and removed afterwards
     * @param peers processes that may receive it
     * @param timeout longest wait for a process
     * @return the process that the descriptor was sent to
     */
    PeerCredentials share(HeldBuffer buffer, String name, Path socket, Peers peers, Duration timeout) {
        try (OwnedFd descriptor = buffer.buffer().exportFd()) {
            Peers allowed = descriptor.peers().map(peers::permittedBy).orElse(peers);
            try (FdListener listener = listenOn(socket, allowed)) {
                waiting.add(listener);
                try {
                    return give(descriptor, text(buffer, name), listener, allowed, timeout);
                } finally {
                    waiting.remove(listener);
                }
            }
        }
    }

    private static PeerCredentials give(
            OwnedFd descriptor, String text, FdListener listener, Peers allowed, Duration timeout) {
        long deadline = System.nanoTime() + timeout.toNanos();
        Duration left = timeout;
        while (true) {
            try (FdSocket connection = listener.accept(left, allowed.includes())) {
                connection.send(descriptor, text);
                return connection.peer();
            } catch (FdSocketException e) {
                left = Duration.ofNanos(deadline - System.nanoTime());
                if (!HAS_GONE.contains(e.errno()) || !left.isPositive()) {
                    throw e;
                }
            }
        }
    }

    /** Adds the remedy to the kernel's reason. */
    private static FdListener listenOn(Path socket, Peers peers) {
        try {
            return peers.listening().apply(socket);
        } catch (FdSocketException e) {
            String remedy = e.errno() == Errno.EADDRINUSE
                    ? "; the file exists, or a process listens there: remove it, or give another path"
                    : e.errno() == Errno.EPERM ? ", or share it with --to USER" : "";
            throw new CommandFailure(e.getMessage() + remedy, e);
        }
    }

    /**
     * Connects to a listening process and sends it a descriptor. Waits until the process listens.
     *
     * @param buffer buffer to send; the caller keeps it
     * @param name name that is sent to the receiver
     * @param socket path of the process's socket
     * @param peers processes that may receive it; if the command line names none, the users in the heap's list
     * @param timeout longest wait until the process listens
     * @return the process that the descriptor was sent to
     */
    PeerCredentials send(HeldBuffer buffer, String name, Path socket, Peers peers, Duration timeout)
            throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        try (OwnedFd descriptor = buffer.buffer().exportFd()) {
            Peers allowed = descriptor
                    .peers()
                    .map(rule -> peers.chosen() ? peers.permittedBy(rule) : peers.namedBy(rule))
                    .orElse(peers);
            try (FdSocket connection = connect(socket, deadline)) {
                PeerCredentials peer = connection.peer();
                if (!allowed.includes().test(peer)) {
                    throw new CommandFailure(
                            peer + " listens on " + socket + ", but the buffer is for " + allowed.text()
                                    + "; nothing was sent; give another path, or --to",
                            null);
                }
                connection.send(descriptor, text(buffer, name));
                return peer;
            }
        }
    }

    private static String text(HeldBuffer buffer, String name) {
        return "dmaheap 1 " + buffer.content() + " " + name;
    }

    /**
     * Connects to a process that offers a buffer, and adopts the buffer. Waits until the process listens.
     *
     * @param socket path of the process's socket
     * @param timeout longest wait until the process listens and sends
     * @param naming returns the name in this shell for the sender's name; the sender's name is empty if the text has
     *     another form
     * @return the buffer, which the caller closes
     */
    Received receive(Path socket, Duration timeout, UnaryOperator<String> naming) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        DmaBuf adopted = null;
        boolean handedOn = false;
        try {
            Received received;
            try (FdSocket connection = connect(socket, deadline);
                    FdMessage message = connection.receive(left(deadline))) {
                PeerCredentials from = connection.peer();
                Matcher text = TEXT.matcher(message.text());
                boolean ours = text.matches();
                String name = naming.apply(ours ? text.group(2) : "");
                adopted = broker.adopt(message.descriptor(), name);
                long size = adopted.size();
                long content = ours ? Math.min(Long.parseLong(text.group(1)), size) : size;
                received = new Received(name, new HeldBuffer(adopted, content), from);
            }
            handedOn = true;
            return received;
        } finally {
            if (!handedOn && adopted != null) {
                adopted.close();
            }
        }
    }

    private FdSocket connect(Path socket, long deadline) throws InterruptedException {
        while (true) {
            try {
                return FdSocket.connect(socket, PIECE);
            } catch (FdSocketException e) {
                if (!NOT_YET.contains(e.errno())) {
                    throw new CommandFailure(e.getMessage(), e);
                }
                if (stopped || System.nanoTime() - deadline > 0) {
                    throw new CommandFailure(
                            e.getMessage() + "; start a process that listens there, or wait longer with --timeout", e);
                }
            }
            Thread.sleep(PAUSE_MILLIS);
        }
    }

    /** {@return the rest of a wait, at least the shortest possible wait} */
    private static Duration left(long deadline) {
        return Duration.ofNanos(Math.max(1_000_000, deadline - System.nanoTime()));
    }

    /** Ends every waiting share at once and every other wait soon, because the shell stops. */
    void endWaits() {
        stopped = true;
        waiting.forEach(FdListener::close);
    }
}
