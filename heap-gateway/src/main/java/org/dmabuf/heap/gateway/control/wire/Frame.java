// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Message of the control protocol: one byte for the type, four for the length, then the payload.
 *
 * @param type type of the message
 * @param payload at most {@link #MAX_PAYLOAD} bytes
 */
public record Frame(Type type, byte[] payload) {
    /** Limit of a payload. A forged length must not make the reader allocate more. */
    public static final int MAX_PAYLOAD = 64 << 10;

    static final int HEADER = 5;

    /** Types of frames. The code on the wire is the ordinal plus one, so new types are appended. */
    public enum Type {
        /** First frame of either side. */
        HELLO,
        /** Bytes for standard input; an empty payload ends the input. */
        INPUT,
        /** Bytes of standard output. */
        OUTPUT,
        /** Bytes of standard error. */
        ERROR,
        /** Columns and rows of the client's terminal, four bytes each. */
        SIZE,
        /** A signal of the client's terminal, by its name without SIG. */
        SIGNAL,
        /** Last frame of the gateway: the exit status, in four bytes. */
        EXIT,
        /**
         * Number of further input bytes that the gateway accepts, in four bytes. Before the first one the client sends
         * no input.
         */
        WINDOW,
        /** Refusal of the request, with a sentence. It comes instead of the gateway's hello or after it. */
        REFUSAL;

        private static final Type[] ALL = values();

        static Type of(int code) throws MalformedFrameException {
            if (code < 1 || code > ALL.length) {
                throw new MalformedFrameException("invalid frame type = " + code + ": expected 1 to " + ALL.length);
            }
            return ALL[code - 1];
        }
    }

    /** Creates a frame whose payload is text. */
    public static Frame of(Type type, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return new Frame(type, bytes.length <= MAX_PAYLOAD ? bytes : Arrays.copyOf(bytes, MAX_PAYLOAD));
    }

    /** Creates a frame whose payload is numbers. */
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

    /** {@return the payload as numbers} */
    public int[] numbers(int count) throws MalformedFrameException {
        if (payload.length != count * Integer.BYTES) {
            throw new MalformedFrameException(
                    "invalid length of " + type + " = " + payload.length + ": expected " + count * Integer.BYTES);
        }
        int[] numbers = new int[count];
        ByteBuffer.wrap(payload).asIntBuffer().get(numbers);
        return numbers;
    }

    /** {@return the frame in the form in which it is sent} */
    public ByteBuffer encoded() {
        return ByteBuffer.allocate(HEADER + payload.length)
                .put((byte) (type.ordinal() + 1))
                .putInt(payload.length)
                .put(payload)
                .flip();
    }
}
