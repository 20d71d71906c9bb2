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

/** A descriptor that was sent to a peer and that nobody has received yet: the message alone holds the memory. */
final class InFlight implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final FdListener listener;
    private final FdSocket sender;
    private final FdSocket receiver;

    /** Sends; the descriptor stays the caller's. */
    InFlight(OwnedFd descriptor) throws IOException {
        folder = Files.createTempDirectory("peer");
        listener = FdListener.bind(folder.resolve("s"));
        sender = FdSocket.connect(listener.path(), PATIENCE);
        receiver = listener.accept(PATIENCE, _ -> true);
        sender.send(descriptor, "buffer");
    }

    /** The peer takes the descriptor, reads what the buffer begins with, writes to it and reads that. */
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
