// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Content that {@code fill} writes: one byte, a pattern, or random bytes. Not safe for use by several threads. */
final class Filling {
    static final Option ZERO = Option.flag('z', "zero", "fill with zeros, like BYTE 0");
    static final Option RANDOM = Option.flag('r', "random", "fill with random bytes, for tests, not for keys");
    static final Option PATTERN = Option.valued('p', "pattern", "HEX", "repeat these bytes, such as cafe01");

    private static final int PIECE = 1 << 20;
    private static final int LONGEST = 4096;

    private final byte[] piece;
    /** Whether each piece is generated anew, as for random bytes. */
    private final Optional<SplittableRandom> random;

    private Filling(byte[] piece, Optional<SplittableRandom> random) {
        this.piece = piece;
        this.random = random;
    }

    /**
     * Reads the content from a command line.
     *
     * @param line line with the byte as second argument, or with one of the options
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    static Filling of(Line line) {
        Optional<String> one = line.arguments().stream().skip(1).findFirst();
        long given = Stream.of(one.isPresent(), line.has(ZERO), line.has(RANDOM), line.has(PATTERN))
                .filter(is -> is)
                .count();
        if (given != 1) {
            throw new IllegalArgumentException("give one of BYTE, --zero, --random and --pattern HEX"
                    + (given == 0 ? "" : ", not " + given + " of them"));
        }
        if (line.has(RANDOM)) {
            return new Filling(new byte[PIECE], Optional.of(new SplittableRandom()));
        }
        byte[] pattern = line.value(PATTERN).map(Filling::pattern).orElseGet(() ->
                new byte[] {one.map(Filling::oneByte).orElse((byte) 0)});
        byte[] piece = new byte[PIECE / pattern.length * pattern.length];
        for (int i = 0; i < piece.length; i += pattern.length) {
            System.arraycopy(pattern, 0, piece, i, pattern.length);
        }
        return new Filling(piece, Optional.empty());
    }

    private static byte oneByte(String text) {
        try {
            int value = text.startsWith("0x") ? Integer.parseInt(text.substring(2), 16) : Integer.parseInt(text);
            if (value >= 0 && value <= 0xFF) {
                return (byte) value;
            }
        } catch (NumberFormatException e) {
            // reported below
        }
        throw new IllegalArgumentException("invalid BYTE = " + text + ": expected 0 to 255, or 0x0 to 0xff");
    }

    private static byte[] pattern(String text) {
        if (text.length() <= 2 * LONGEST) {
            try {
                return HexFormat.of().parseHex(text);
            } catch (IllegalArgumentException e) {
                // reported below
            }
        }
        throw new IllegalArgumentException(
                "invalid --pattern = " + text + ": expected pairs of hexadecimal digits, 1 to " + LONGEST + " bytes");
    }

    /**
     * Fills memory.
     *
     * @throws InterruptedException if the thread was interrupted; the message states how many bytes are filled, and the
     *     rest is unchanged
     */
    void into(MemorySegment memory) throws InterruptedException {
        for (long at = 0; at < memory.byteSize(); at += piece.length) {
            if (Thread.interrupted()) {
                throw new InterruptedException("filled " + at + " of " + Facts.count(memory.byteSize(), "byte"));
            }
            random.ifPresent(source -> source.nextBytes(piece));
            MemorySegment.copy(
                    MemorySegment.ofArray(piece), 0, memory, at, Math.min(piece.length, memory.byteSize() - at));
        }
    }
}
