// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.file.Files;
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
 */
final class HandOver {
    private static final Pattern TEXT = Pattern.compile("dmaheap 1 (\\d{1,18}) (.*)", Pattern.DOTALL);

    /**
     * A buffer that came.
     *
     * @param name what it is called here
     * @param buffer adopted, and its bytes
     * @param from who sent it
     */
    record Received(String name, HeldBuffer buffer, PeerCredentials from) {}

    /** Of a peer, and not of the socket that this side listens on. */
    private static final Set<Errno> HAS_GONE = EnumSet.of(Errno.EPIPE, Errno.ECONNRESET, Errno.ENOTCONN);

    private final HeapBroker broker;
    private final Set<FdListener> waiting = ConcurrentHashMap.newKeySet();

    HandOver(HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Waits for one process of this user and gives it a descriptor. A process that has gone before it got the
     * descriptor does not count; the wait goes on.
     *
     * @param buffer stays the caller's
     * @param name told to the receiver
     * @param socket made for this, and removed
     * @param timeout for the process to come
     * @return the process that the descriptor was sent to
     */
    PeerCredentials share(HeldBuffer buffer, String name, Path socket, Duration timeout) throws IOException {
        int user = ownUser();
        long deadline = System.nanoTime() + timeout.toNanos();
        try (FdListener listener = listenOn(socket);
                OwnedFd descriptor = buffer.buffer().exportFd()) {
            waiting.add(listener);
            try {
                Duration left = timeout;
                while (true) {
                    try (FdSocket connection = listener.accept(left, peer -> peer.uid() == user)) {
                        connection.send(descriptor, "dmaheap 1 " + buffer.content() + " " + name);
                        return connection.peer();
                    } catch (FdSocketException e) {
                        left = Duration.ofNanos(deadline - System.nanoTime());
                        if (!HAS_GONE.contains(e.errno()) || !left.isPositive()) {
                            throw e;
                        }
                    }
                }
            } finally {
                waiting.remove(listener);
            }
        }
    }

    /** Adds to the kernel's word for what is wrong what to do about it. */
    private static FdListener listenOn(Path socket) {
        try {
            return FdListener.bind(socket);
        } catch (FdSocketException e) {
            String remedy = e.errno() == Errno.EADDRINUSE
                    ? "; there is such a file, or a process that listens there: remove it, or give another path"
                    : "";
            throw new CommandFailure(e.getMessage() + remedy, e);
        }
    }

    /** Ends every share that waits: the shell stops. */
    void endWaits() {
        waiting.forEach(FdListener::close);
    }

    /**
     * Connects to a process that offers a buffer, and adopts it.
     *
     * @param socket on which it listens
     * @param timeout for it to send
     * @param naming what to call it here, asked with its sender's name, which is empty when the text was none of ours
     * @return the buffer, which the caller closes
     */
    Received receive(Path socket, Duration timeout, UnaryOperator<String> naming) {
        try (FdSocket connection = FdSocket.connect(socket, timeout);
                FdMessage message = connection.receive()) {
            PeerCredentials from = connection.peer();
            Matcher text = TEXT.matcher(message.text());
            boolean ours = text.matches();
            String name = naming.apply(ours ? text.group(2) : "");
            DmaBuf buffer = broker.adopt(message.descriptor(), name); // nothing that can fail comes after
            long content = ours ? Math.min(Long.parseLong(text.group(1)), buffer.size()) : buffer.size();
            return new Received(name, new HeldBuffer(buffer, content), from);
        }
    }

    private static int ownUser() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }
}
