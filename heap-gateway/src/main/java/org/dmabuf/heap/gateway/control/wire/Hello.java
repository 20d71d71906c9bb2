// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * First frame of either side. In every version of the protocol, its first four bytes are that version.
 *
 * @param words from a client: its request and details; from a gateway: its version and process
 */
public record Hello(List<String> words) {
    /** The version of the protocol; both sides need the same version. */
    public static final int VERSION = 1;

    /** Limit of the number of words. */
    private static final int MAX_WORDS = 1024;

    public Hello {
        words = List.copyOf(words);
    }

    /** {@return the hello as a frame} */
    public Frame frame() throws MalformedFrameException {
        List<byte[]> encoded = words.stream()
                .map(word -> word.getBytes(StandardCharsets.UTF_8))
                .toList();
        int length = 2 * Integer.BYTES;
        for (byte[] word : encoded) {
            length = Math.addExact(length, Integer.BYTES + word.length);
        }
        if (length > Frame.MAX_PAYLOAD || words.size() > MAX_WORDS) {
            throw new MalformedFrameException("the command is too long: expected at most " + Frame.MAX_PAYLOAD
                    + " bytes, or a file that the shell's command 'source' reads");
        }
        ByteBuffer payload = ByteBuffer.allocate(length).putInt(VERSION).putInt(encoded.size());
        encoded.forEach(word -> payload.putInt(word.length).put(word));
        return new Frame(Frame.Type.HELLO, payload.array());
    }

    /**
     * Decodes the hello in a frame.
     *
     * @throws MalformedFrameException if the frame is not a hello, or has another version
     */
    public static Hello of(Frame frame) throws MalformedFrameException {
        if (frame.type() != Frame.Type.HELLO || frame.payload().length < 2 * Integer.BYTES) {
            throw new MalformedFrameException("the first frame is not a hello");
        }
        ByteBuffer payload = ByteBuffer.wrap(frame.payload());
        int version = payload.getInt();
        if (version != VERSION) {
            throw new MalformedFrameException("the other side speaks version " + version
                    + " of the control protocol, and this one " + VERSION
                    + "; use bin/gateway of the gateway that runs");
        }
        int count = payload.getInt();
        if (count < 0 || count > MAX_WORDS) {
            throw new MalformedFrameException("invalid words of a hello = " + count + ": expected 0 to " + MAX_WORDS);
        }
        List<String> words = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            words.add(word(payload));
        }
        return new Hello(words);
    }

    private static String word(ByteBuffer payload) throws MalformedFrameException {
        int length = payload.remaining() < Integer.BYTES ? -1 : payload.getInt();
        if (length < 0 || length > payload.remaining()) {
            throw new MalformedFrameException("a word of the hello is truncated");
        }
        byte[] bytes = new byte[length];
        payload.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
