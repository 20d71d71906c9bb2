// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;

/**
 * First {@value #BYTES} bytes of every packet.
 *
 * @param version version of the protocol
 * @param operation number of an {@link Operation}, or an unknown number
 * @param reply whether it is a reply
 * @param serial number that the client chose, and that the reply repeats
 */
public record PacketHeader(int version, int operation, boolean reply, long serial) {
    /** The version of the protocol that this package implements. */
    public static final int VERSION = 1;
    /** Longest packet in bytes. */
    public static final int LONGEST_PACKET = 16 * 1024;

    static final int BYTES = 24;
    /** The bytes D, M, A and H on a little-endian machine. */
    private static final int MAGIC = 0x48414D44;

    private static final int REPLY = 1;

    /**
     * Decodes a header.
     *
     * @param packet all bytes of a received packet
     * @return its header
     * @throws MalformedPacketException {@link Errno#EPROTO} for bytes that are not a packet of this protocol
     */
    public static PacketHeader of(MemorySegment packet) {
        if (packet.byteSize() < BYTES) {
            throw new MalformedPacketException(
                    Errno.EPROTO, "the packet has " + packet.byteSize() + " bytes: expected at least " + BYTES);
        }
        PacketReader reader = new PacketReader(packet);
        int magic = reader.u32("the magic number");
        if (magic != MAGIC) {
            throw new MalformedPacketException(
                    Errno.EPROTO,
                    "invalid magic number = 0x" + Integer.toHexString(magic) + ": expected 0x"
                            + Integer.toHexString(MAGIC));
        }
        int version = reader.u16("the version");
        int operation = reader.u16("the operation");
        int size = reader.u32("the size");
        int flags = reader.u32("the flags");
        if (size != packet.byteSize()) {
            throw new MalformedPacketException(
                    Errno.EPROTO,
                    "invalid size = " + Integer.toUnsignedString(size) + ": the packet has " + packet.byteSize()
                            + " bytes");
        }
        if ((flags & ~REPLY) != 0) {
            throw new MalformedPacketException(
                    Errno.EPROTO, "invalid flags = 0x" + Integer.toHexString(flags) + ": expected 0 or 1");
        }
        return new PacketHeader(version, operation, flags == REPLY, reader.u64("the serial number"));
    }

    /** {@return a reader of the fields after the header} */
    static PacketReader payload(MemorySegment packet) {
        return new PacketReader(packet.asSlice(BYTES));
    }

    /** {@return a writer of the fields after the header, within the longest packet} */
    static PacketWriter payloadWriter(MemorySegment space) {
        return new PacketWriter(space.asSlice(BYTES, Math.min(space.byteSize(), LONGEST_PACKET) - BYTES));
    }

    /**
     * Writes this header before a payload.
     *
     * @return the packet
     */
    MemorySegment complete(MemorySegment space, PacketWriter payload) {
        long size = BYTES + payload.size();
        new PacketWriter(space)
                .u32(MAGIC)
                .u16(version)
                .u16(operation)
                .u32((int) size)
                .u32(reply ? REPLY : 0)
                .u64(serial);
        return space.asSlice(0, size);
    }
}
