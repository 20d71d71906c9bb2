// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.Assert.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** A descriptor that was sent to a peer and not yet received, so that only the message holds the memory. */
final class InFlight implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final FdListener listener;
    private final FdSocket sender;
    private final FdSocket receiver;

    /** Sends a duplicate; the caller keeps its descriptor. */
    InFlight(OwnedFd descriptor) throws IOException {
        folder = Files.createTempDirectory("peer");
        listener = FdListener.bind(folder.resolve("s"));
        sender = FdSocket.connect(listener.path(), PATIENCE);
        receiver = listener.accept(PATIENCE, _ -> true);
        sender.send(descriptor, "buffer");
    }

    /** Receives the descriptor as the peer does, reads the first byte of the buffer, writes to it and reads it back. */
    void receiveAndExpect(byte first, long size) {
        try (FdMessage message = receiver.receive();
                Arena arena = Arena.ofConfined()) {
            var segment = new Mappings(Syscalls.linux()).map(message.descriptor(), size, Access.READ_WRITE, arena);
            assertEquals(first, segment.get(JAVA_BYTE, 0));
            segment.set(JAVA_BYTE, size - 1, (byte) 99);
            assertEquals(99, segment.get(JAVA_BYTE, size - 1));
        }
    }

    @Override
    public void close() throws IOException {
        receiver.close();
        sender.close();
        listener.close();
        Files.delete(folder);
    }
}
