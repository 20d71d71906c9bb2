// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One message: a byte for the type, four for the length, and the payload.
 *
 * @param type what it is
 * @param payload at most {@link #MAX_PAYLOAD} bytes
 */
public record Frame(Type type, byte[] payload) {
    /** More is malformed, so that a length that was made up cannot make the reader allocate. */
    public static final int MAX_PAYLOAD = 64 << 10;

    static final int HEADER = 5;

    /** What a frame is. The code on the wire is the ordinal plus one: new types go to the end. */
    public enum Type {
        /** The first frame of either side. */
        HELLO,
        /** Bytes for standard input; without any it is the end of the input. */
        INPUT,
        /** Bytes of standard output. */
        OUTPUT,
        /** Bytes of standard error. */
        ERROR,
        /** Columns and rows of the client's terminal, four bytes each. */
        SIZE,
        /** A signal of the client's terminal, by its name without SIG. */
        SIGNAL,
        /** The last frame of the gateway: the exit status, in four bytes. */
        EXIT,
        /** How many more bytes of input the gateway takes, in four bytes; before that, the client sends none. */
        WINDOW,
        /** Instead of the gateway's hello, or after it: the request is refused, with a sentence. */
        REFUSAL;

        private static final Type[] ALL = values();

        static Type of(int code) throws MalformedFrameException {
            if (code < 1 || code > ALL.length) {
                throw new MalformedFrameException("invalid frame type = " + code + ": expected 1 to " + ALL.length);
            }
            return ALL[code - 1];
        }
    }

    /** A frame whose payload is text. */
    public static Frame of(Type type, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return new Frame(type, bytes.length <= MAX_PAYLOAD ? bytes : Arrays.copyOf(bytes, MAX_PAYLOAD));
    }

    /** A frame whose payload is numbers. */
    public static Frame of(Type type, int... numbers) {
        ByteBuffer payload = ByteBuffer.allocate(numbers.length * Integer.BYTES);
        for (int number : numbers) {
            payload.putInt(number);
        }
        return new Frame(type, payload.array());
    }

    /** {@return the payload as text} */
    public String text() {
        return new String(payload, StandardCharsets.UTF_8);
    }

    /** {@return the payload as so many numbers} */
    public int[] numbers(int count) throws MalformedFrameException {
        if (payload.length != count * Integer.BYTES) {
            throw new MalformedFrameException(
                    "invalid length of " + type + " = " + payload.length + ": expected " + count * Integer.BYTES);
        }
        int[] numbers = new int[count];
        ByteBuffer.wrap(payload).asIntBuffer().get(numbers);
        return numbers;
    }

    /** {@return the frame as it is sent} */
    public ByteBuffer encoded() {
        return ByteBuffer.allocate(HEADER + payload.length)
                .put((byte) (type.ordinal() + 1))
                .putInt(payload.length)
                .put(payload)
                .flip();
    }
}
