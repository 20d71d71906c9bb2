// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Reader of the fields of one packet, in their order. It never reads past the packet. For one thread. */
final class PacketReader {
    private final MemorySegment packet;
    private long at;

    PacketReader(MemorySegment packet) {
        this.packet = packet;
    }

    /** {@return an unsigned number of two bytes} */
    int u16(String field) {
        return Short.toUnsignedInt(packet.get(JAVA_SHORT_UNALIGNED, advance(2, field)));
    }

    int u32(String field) {
        return packet.get(JAVA_INT_UNALIGNED, advance(4, field));
    }

    long u64(String field) {
        return packet.get(JAVA_LONG_UNALIGNED, advance(8, field));
    }

    void reserved16() {
        requireZero(u16("the reserved bytes"));
    }

    void reserved32() {
        requireZero(u32("the reserved bytes"));
    }

    private static void requireZero(int value) {
        if (value != 0) {
            throw new MalformedPacketException("invalid reserved bytes = " + value + ": expected 0");
        }
    }

    String text(String field) {
        int length = u16(field);
        byte[] bytes = packet.asSlice(advance(length, field), length).toArray(JAVA_BYTE);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new MalformedPacketException("invalid " + field + ": expected UTF-8");
        }
    }

    List<String> texts(String field) {
        return list(reader -> reader.text(field), field);
    }

    <T> List<T> list(Function<PacketReader, T> element, String field) {
        int count = u16(field);
        List<T> list = new ArrayList<>();
        for (int i = 0; i < count; i++) { // a false count ends with the packet
            list.add(element.apply(this));
        }
        return List.copyOf(list);
    }

    /** Requires that every byte was read. */
    void end() {
        if (at != packet.byteSize()) {
            throw new MalformedPacketException(
                    (packet.byteSize() - at) + " bytes follow the last field: expected none");
        }
    }

    private long advance(int bytes, String field) {
        if (bytes > packet.byteSize() - at) {
            throw new MalformedPacketException("the packet of " + packet.byteSize() + " bytes ends within " + field);
        }
        long begin = at;
        at += bytes;
        return begin;
    }
}
