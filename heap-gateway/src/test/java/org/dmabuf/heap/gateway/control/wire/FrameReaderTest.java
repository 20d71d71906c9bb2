// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FrameReaderTest {
    @Test
    void decoded_frames_equal_the_encoded_ones_byte_by_byte() throws Exception {
        byte[] bytes = new byte[Frame.MAX_PAYLOAD];
        bytes[4711] = 1;
        Frame text = Frame.of(Frame.Type.SIGNAL, "INT");
        Frame numbers = Frame.of(Frame.Type.SIZE, 132, 50);
        FrameReader reader =
                reader(byteByByte(text.encoded(), numbers.encoded(), new Frame(Frame.Type.INPUT, bytes).encoded()));
        assertEquals("INT", reader.read().orElseThrow().text());
        assertArrayEquals(new int[] {132, 50}, reader.read().orElseThrow().numbers(2));
        assertArrayEquals(bytes, reader.read().orElseThrow().payload());
        assertEquals(Optional.empty(), reader.read());
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Integer.MIN_VALUE, Frame.MAX_PAYLOAD + 1, Integer.MAX_VALUE})
    void an_invalid_length_is_malformed_and_is_not_allocated(int length) {
        ByteBuffer claimed = ByteBuffer.allocate(5).put((byte) 2).putInt(length).flip();
        MalformedFrameException e = assertThrows(
                MalformedFrameException.class, () -> reader(byteByByte(claimed)).read());
        assertEquals("invalid length of INPUT = " + length + ": expected 0 to 65536", e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 10, 127, -1})
    void an_unknown_type_is_malformed(int code) {
        ByteBuffer unknown = ByteBuffer.allocate(5).put((byte) code).putInt(0).flip();
        assertThrows(
                MalformedFrameException.class, () -> reader(byteByByte(unknown)).read());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 5, 7})
    void an_end_within_a_frame_is_malformed(int bytes) {
        ByteBuffer cut = Frame.of(Frame.Type.SIGNAL, "INT").encoded().limit(bytes);
        assertThrows(
                MalformedFrameException.class, () -> reader(byteByByte(cut)).read());
    }

    @Test
    void a_frame_with_another_count_of_numbers_is_malformed() {
        assertThrows(
                MalformedFrameException.class,
                () -> Frame.of(Frame.Type.SIZE, 1).numbers(2));
    }

    private static FrameReader reader(InputStream in) {
        return new FrameReader(Channels.newChannel(in));
    }

    /** A sequence of streams returns bytes of one of them at each read. */
    private static InputStream byteByByte(ByteBuffer... frames) {
        List<InputStream> bytes = new ArrayList<>();
        for (ByteBuffer frame : frames) {
            while (frame.hasRemaining()) {
                bytes.add(new ByteArrayInputStream(new byte[] {frame.get()}));
            }
        }
        return new SequenceInputStream(Collections.enumeration(bytes));
    }
}
