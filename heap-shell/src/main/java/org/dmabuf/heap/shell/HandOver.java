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
 * Hands a buffer to another process and takes one from it. The text that goes with the descriptor is
 * {@code dmaheap 1 BYTES NAME}: how many bytes mean something, and what the buffer is called.
 *
 * <p>The descriptor is made first: what cannot be exported, and what no process may have, is refused before there is a
 * socket or a wait. Every wait ends with an interrupt of the thread.
 */
final class HandOver {
    private static final Pattern TEXT = Pattern.compile("dmaheap 1 (\\d{1,18}) (.*)", Pattern.DOTALL);

    /** A connect that waits for the listener's turn does not end with an interrupt, so it is made in pieces. */
    private static final Duration PIECE = Duration.ofMillis(250);

    private static final long PAUSE_MILLIS = 100;

    /** Of a peer, and not of the socket that this side listens on. */
    private static final Set<Errno> HAS_GONE = EnumSet.of(Errno.EPIPE, Errno.ECONNRESET, Errno.ENOTCONN);

    /** No process listens there, yet. */
    private static final Set<Errno> NOT_YET = EnumSet.of(Errno.ENOENT, Errno.ECONNREFUSED, Errno.ETIMEDOUT);

    /**
     * A buffer that came.
     *
     * @param name what it is called here
     * @param buffer adopted, and its bytes
     * @param from its sender
     */
    record Received(String name, HeldBuffer buffer, PeerCredentials from) {}

    private final HeapBroker broker;
    private final Set<FdListener> waiting = ConcurrentHashMap.newKeySet();
    private volatile boolean stopped;

    HandOver(HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Waits for one process and gives it a descriptor. A process that has gone before it got the descriptor does not
     * count; the wait goes on.
     *
     * @param buffer stays the caller's
     * @param name told to the receiver
     * @param socket made for this, and removed
     * @param peers that may have it
     * @param timeout for the process to come
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

    /** Adds to the kernel's word for what is wrong what to do about it. */
    private static FdListener listenOn(Path socket, Peers peers) {
        try {
            return peers.listening().apply(socket);
        } catch (FdSocketException e) {
            String remedy = e.errno() == Errno.EADDRINUSE
                    ? "; there is such a file, or a process that listens there: remove it, or give another path"
                    : e.errno() == Errno.EPERM ? ", or share it with --to USER" : "";
            throw new CommandFailure(e.getMessage() + remedy, e);
        }
    }

    /**
     * Connects to a process that listens, or will, and gives it a descriptor.
     *
     * @param buffer stays the caller's
     * @param name told to the receiver
     * @param socket on which it listens
     * @param peers that may have it; when the command line names none, those that the buffer's heap names
     * @param timeout for it to listen
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
                            peer + " listens on " + socket + ", and the buffer is for " + allowed.text()
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
     * Connects to a process that offers a buffer, or will, and adopts it.
     *
     * @param socket on which it listens
     * @param timeout for it to listen and to send
     * @param naming what to call it here, asked with its sender's name, which is empty when the text was none of ours
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
                    throw new CommandFailure(e.getMessage() + remedy(e.errno()), e);
                }
                if (stopped || System.nanoTime() - deadline > 0) {
                    throw new CommandFailure(
                            e.getMessage() + "; have a process listen there, or wait longer with --timeout", e);
                }
            }
            Thread.sleep(PAUSE_MILLIS);
        }
    }

    private static String remedy(Errno errno) {
        return switch (errno) {
            case EPROTOTYPE -> "; the process listens with a socket of another type: it takes SOCK_SEQPACKET";
            case ENAMETOOLONG -> "; a socket's path has at most 107 bytes";
            case EACCES -> "; this user may not write to that file, or not enter its folder";
            default -> "";
        };
    }

    /** {@return what is left of a wait, at least the shortest wait that there is} */
    private static Duration left(long deadline) {
        return Duration.ofNanos(Math.max(1_000_000, deadline - System.nanoTime()));
    }

    /** Ends every share that waits, and soon every other wait: the shell stops. */
    void endWaits() {
        stopped = true;
        waiting.forEach(FdListener::close);
    }
}
