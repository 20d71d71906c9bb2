// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiConsumer;
import org.dmabuf.heap.Errno;

/** Writer of the fields of one packet, in their order. It never writes past the given memory. For one thread. */
final class PacketWriter {
    private static final int LARGEST_U16 = 0xFFFF;

    private final MemorySegment space;
    private long at;

    PacketWriter(MemorySegment space) {
        this.space = space;
    }

    PacketWriter u16(int value) {
        if (value < 0 || value > LARGEST_U16) {
            throw new MalformedPacketException("invalid number = " + value + ": expected 0 to " + LARGEST_U16);
        }
        space.set(JAVA_SHORT_UNALIGNED, advance(2), (short) value);
        return this;
    }

    PacketWriter u32(int value) {
        space.set(JAVA_INT_UNALIGNED, advance(4), value);
        return this;
    }

    PacketWriter u64(long value) {
        space.set(JAVA_LONG_UNALIGNED, advance(8), value);
        return this;
    }

    PacketWriter text(String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        u16(bytes.length);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, space, advance(bytes.length), bytes.length);
        return this;
    }

    PacketWriter texts(List<String> values) {
        u16(values.size());
        values.forEach(this::text);
        return this;
    }

    /** Writes as many elements as fit, after their number. */
    <T> PacketWriter listThatFits(List<T> values, BiConsumer<PacketWriter, T> element) {
        long count = advance(2);
        int written = 0;
        for (T value : values) {
            long before = at;
            try {
                element.accept(this, value);
            } catch (MalformedPacketException e) {
                at = before;
                break;
            }
            written++;
        }
        space.set(JAVA_SHORT_UNALIGNED, count, (short) written);
        return this;
    }

    /** {@return number of written bytes} */
    long size() {
        return at;
    }

    private long advance(int bytes) {
        if (bytes > space.byteSize() - at) {
            throw new MalformedPacketException(
                    Errno.EOVERFLOW, "the packet is longer than " + space.byteSize() + " bytes: give shorter texts");
        }
        long field = at;
        at += bytes;
        return field;
    }
}
