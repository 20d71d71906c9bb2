// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.socket.PacketSocket;
import org.dmabuf.heap.linux.socket.ReceivedPacket;

/**
 * Process that looks at frames. It listens on a Unix socket of packets (SOCK_SEQPACKET), which both sides use in turns:
 *
 * <ul>
 *   <li>{@code frame INDEX SEQUENCE OFFSET BYTES}, with a descriptor of the memory the first time that INDEX comes.
 *   <li>{@code done INDEX} is the answer, or {@code enough}. Any other answer is a reason to stop.
 * </ul>
 */
final class Viewer implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int LONGEST_ANSWER = 256;

    private final PacketSocket socket;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment space = arena.allocate(LONGEST_ANSWER);
    private final BitSet known = new BitSet();

    private Viewer(PacketSocket socket) {
        this.socket = socket;
    }

    /** Connects to a viewer that listens. */
    static Viewer connect(Path path) {
        return new Viewer(PacketSocket.connect(path, PATIENCE));
    }

    /** Offers a frame, which the viewer may read until it answers. */
    void show(CapturedFrame frame, OwnedFd memory) {
        CapturedFrame.Span pixels = frame.planes().getFirst();
        byte[] text = ("frame " + frame.index() + " " + frame.sequence() + " " + pixels.offset() + " " + pixels.size())
                .getBytes(StandardCharsets.US_ASCII);
        MemorySegment packet = space.asSlice(0, text.length).copyFrom(MemorySegment.ofArray(text));
        if (known.get(frame.index())) {
            socket.send(packet);
        } else {
            socket.send(packet, memory);
            known.set(frame.index());
        }
    }

    /**
     * Waits until the viewer has looked at a frame.
     *
     * @return whether it wants another one
     * @throws IllegalStateException when the viewer stopped, with its reason if it gave one
     */
    boolean await(CapturedFrame frame) {
        ReceivedPacket answer = socket.receive(space);
        String text = new String(space.asSlice(0, answer.size()).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
        if (text.equals("enough")) {
            return false;
        }
        if (!text.equals("done " + frame.index())) {
            throw new IllegalStateException("the viewer stopped at frame " + frame.sequence()
                    + (text.isEmpty() ? ": it has closed the connection" : ": " + text));
        }
        return true;
    }

    @Override
    public void close() {
        socket.close();
        arena.close();
    }
}
