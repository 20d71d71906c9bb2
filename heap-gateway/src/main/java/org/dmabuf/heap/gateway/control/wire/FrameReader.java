// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Optional;

/** Reader of frames from a blocking channel, however the bytes are split. For one thread. */
public final class FrameReader {
    private final ReadableByteChannel channel;

    /** @param channel channel from which no other object reads */
    public FrameReader(ReadableByteChannel channel) {
        this.channel = channel;
    }

    /**
     * Waits for the next frame.
     *
     * @return the frame; empty if the other side closed the channel after a whole frame
     * @throws MalformedFrameException if the bytes are not a frame or end within one
     */
    public Optional<Frame> read() throws IOException {
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
        fill(header);
        if (header.position() == 0) {
            return Optional.empty();
        }
        requireFull(header);
        header.flip();
        Frame.Type type = Frame.Type.of(header.get());
        int length = header.getInt();
        if (length < 0 || length > Frame.MAX_PAYLOAD) {
            throw new MalformedFrameException(
                    "invalid length of " + type + " = " + length + ": expected 0 to " + Frame.MAX_PAYLOAD);
        }
        ByteBuffer payload = ByteBuffer.allocate(length);
        fill(payload);
        requireFull(payload);
        return Optional.of(new Frame(type, payload.array()));
    }

    private void fill(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
            // the other side may send single bytes
        }
    }

    private static void requireFull(ByteBuffer buffer) throws MalformedFrameException {
        if (buffer.hasRemaining()) {
            throw new MalformedFrameException("the connection ended within a frame");
        }
    }
}
