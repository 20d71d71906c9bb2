// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.Consumer;

/** Formatter of bytes in the format of {@code hexdump -C}: 16 in a line, and {@code *} for repeated lines. */
final class HexDump {
    private static final int LINE = 16;
    private static final int PIECE = 64 << 10;
    private static final HexFormat HEX = HexFormat.of();

    private HexDump() {}

    /**
     * Shows memory.
     *
     * @param memory memory to show
     * @param offset offset of its first byte, for the first column
     * @param lines receives each line
     * @throws InterruptedException if the thread was interrupted
     */
    static void of(MemorySegment memory, long offset, Consumer<String> lines) throws InterruptedException {
        byte[] before = {};
        boolean repeats = false;
        byte[] piece = new byte[(int) Math.min(PIECE, memory.byteSize())];
        for (long at = 0; at < memory.byteSize(); at += piece.length) {
            int length = (int) Math.min(piece.length, memory.byteSize() - at);
            MemorySegment.copy(memory, at, MemorySegment.ofArray(piece), 0, length);
            for (int i = 0; i < length; i += LINE) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                byte[] line = Arrays.copyOfRange(piece, i, Math.min(i + LINE, length));
                if (!Arrays.equals(line, before)) {
                    lines.accept(line(offset + at + i, line));
                } else if (!repeats) {
                    lines.accept("*");
                }
                repeats = Arrays.equals(line, before);
                before = line;
            }
        }
        lines.accept(address(offset + memory.byteSize()));
    }

    private static String line(long offset, byte[] bytes) {
        StringBuilder line = new StringBuilder(address(offset)).append(' ');
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < LINE; i++) {
            line.append(i % 8 == 0 ? " " : "");
            line.append(i < bytes.length ? HEX.toHexDigits(bytes[i]) : "  ").append(' ');
            if (i < bytes.length) {
                text.append(bytes[i] >= ' ' && bytes[i] < 0x7F ? (char) bytes[i] : '.');
            }
        }
        return line.append(" |").append(text).append('|').toString();
    }

    private static String address(long offset) {
        return String.format("%08x", offset);
    }
}
