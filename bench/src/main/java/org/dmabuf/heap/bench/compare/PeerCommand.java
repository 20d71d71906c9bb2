// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/**
 * Command to the peer of the share group: how a frame arrives, and how many bytes it has.
 *
 * @param way how it arrives
 * @param size bytes
 */
record PeerCommand(Way way, long size) {
    /** Ways of a frame to the peer. */
    enum Way {
        /** By a descriptor, mapped at an aligned address. */
        DESCRIPTOR,
        /** By a descriptor, mapped at an address that is not aligned to a large folio. */
        UNALIGNED,
        /** By its bytes in a pipe. */
        PIPE,
        /** By its bytes in the stream socket that also has the commands. */
        SOCKET
    }

    private static final int BYTES = 16;

    /**
     * Answer of the peer.
     *
     * @param sum of the frame's words
     * @param mapped nanoseconds for the mapping; 0 for bytes
     */
    record Answer(long sum, long mapped) {}

    void send(WritableByteChannel channel) throws IOException {
        write(channel, way.ordinal(), size);
    }

    static PeerCommand receive(ReadableByteChannel channel) throws IOException {
        ByteBuffer bytes = read(channel);
        return new PeerCommand(Way.values()[(int) bytes.getLong()], bytes.getLong());
    }

    static void answer(WritableByteChannel channel, Answer answer) throws IOException {
        write(channel, answer.sum(), answer.mapped());
    }

    static Answer awaitAnswer(ReadableByteChannel channel) throws IOException {
        ByteBuffer bytes = read(channel);
        return new Answer(bytes.getLong(), bytes.getLong());
    }

    /** Writes all of a buffer. */
    static void writeAll(WritableByteChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Reads until a buffer is full. */
    static void readAll(ReadableByteChannel channel, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            if (channel.read(into) < 0) {
                throw new EOFException("the other process has closed its end");
            }
        }
    }

    private static void write(WritableByteChannel channel, long first, long second) throws IOException {
        writeAll(
                channel,
                ByteBuffer.allocate(BYTES).putLong(first).putLong(second).flip());
    }

    private static ByteBuffer read(ReadableByteChannel channel) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES);
        readAll(channel, bytes);
        return bytes.flip();
    }
}
