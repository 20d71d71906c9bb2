// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Packet between a launcher and the agent: u32 magic, u16 version, u16 operation, s32 status, u32 reserved, and text in
 * UTF-8. Native byte order.
 *
 * @param operation {@link #NODES} or {@link #ATTACH}, or an unknown number
 * @param status 0 in a request; 0 or a negative error number in a reply
 * @param text lines of the operation, or the sentence of an error
 */
record LauncherPacket(int operation, int status, String text) {
    /** Lists the nodes. */
    static final int NODES = 1;
    /** Hands over a listener. */
    static final int ATTACH = 2;
    /** Longest packet in bytes. */
    static final int MOST_BYTES = 8192;

    private static final int MAGIC = 0x4C41_4D44; // the bytes D, M, A and L on a little-endian machine
    private static final int VERSION = 1;
    private static final int HEADER_BYTES = 16;

    /**
     * Decodes a request.
     *
     * @param packet all bytes of a packet
     * @throws IllegalArgumentException for a packet that is not a request of this version
     */
    static LauncherPacket request(MemorySegment packet) {
        if (packet.byteSize() < HEADER_BYTES || packet.get(JAVA_INT, 0) != MAGIC) {
            throw new IllegalArgumentException("invalid packet: expected the bytes DMAL and a header of 16 bytes");
        }
        int version = Short.toUnsignedInt(packet.get(JAVA_SHORT, 4));
        if (version != VERSION) {
            throw new IllegalArgumentException("invalid version = " + version + ": expected " + VERSION
                    + "; use the launcher of the agent's release");
        }
        if (packet.get(JAVA_INT, 8) != 0 || packet.get(JAVA_INT, 12) != 0) {
            throw new IllegalArgumentException("invalid status or reserved bytes: expected 0");
        }
        int operation = Short.toUnsignedInt(packet.get(JAVA_SHORT, 6));
        byte[] text = packet.asSlice(HEADER_BYTES).toArray(JAVA_BYTE);
        try {
            return new LauncherPacket(
                    operation,
                    0,
                    StandardCharsets.UTF_8
                            .newDecoder()
                            .decode(ByteBuffer.wrap(text))
                            .toString());
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("invalid text: expected UTF-8", e);
        }
    }

    /**
     * Encodes the packet.
     *
     * @param space memory of {@link #MOST_BYTES}
     * @return the part with the packet; a text that is too long is cut
     */
    MemorySegment encode(MemorySegment space) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(bytes.length, MOST_BYTES - HEADER_BYTES);
        space.set(JAVA_INT, 0, MAGIC);
        space.set(JAVA_SHORT, 4, (short) VERSION);
        space.set(JAVA_SHORT, 6, (short) operation);
        space.set(JAVA_INT, 8, status);
        space.set(JAVA_INT, 12, 0);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, space, HEADER_BYTES, length);
        return space.asSlice(0, HEADER_BYTES + length);
    }
}
