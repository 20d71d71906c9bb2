// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress.client;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The content of a buffer, identified by one number; 0 means the zeroes of a new buffer. Small buffers are written
 * completely, large ones once in each page.
 *
 * @param key the number that identifies the content
 */
record Pattern(long key) {
    static final Pattern ZEROES = new Pattern(0);
    private static final long THROUGHOUT = 64 << 10;
    private static final int PAGE = 4096;

    void fill(MemorySegment memory) {
        long step = step(memory.byteSize());
        // Each byte is written once, so filling a buffer again never shows another content to concurrent readers.
        for (long at = 0; at + 8 < memory.byteSize(); at += step) {
            memory.set(JAVA_LONG_UNALIGNED, at, value(at));
        }
        memory.set(JAVA_BYTE, memory.byteSize() - 1, (byte) key);
    }

    void check(MemorySegment memory, String how) {
        long size = memory.byteSize();
        long step = step(size);
        for (long at = 0; at + 8 < size; at += step) {
            compare(memory.get(JAVA_LONG_UNALIGNED, at), at, size, how);
        }
        byte last = memory.get(JAVA_BYTE, size - 1);
        if (last != (byte) key) {
            throw new AssertionError(how + " of " + size + " bytes ends in " + last + " and not in " + (byte) key);
        }
    }

    /** Reads a few places through a descriptor, as another process would. */
    void check(int fd, long size) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        try (FileChannel file = FileChannel.open(Path.of("/proc/self/fd/" + fd), StandardOpenOption.READ)) {
            long step = Math.max(step(size), size / 16 / PAGE * PAGE);
            for (long at = 0; at + 8 < size; at += step) {
                bytes.clear();
                if (file.read(bytes, at) != 8) {
                    throw new AssertionError("a descriptor gives nothing at " + at + " of " + size);
                }
                compare(bytes.getLong(0), at, size, "a descriptor");
            }
        }
    }

    private void compare(long found, long at, long size, String how) {
        if (found != value(at)) {
            throw new AssertionError(how + " of " + size + " bytes has 0x" + Long.toHexString(found) + " at " + at
                    + " where 0x" + Long.toHexString(value(at)) + " was written");
        }
    }

    private long value(long at) {
        return key == 0 ? 0 : key * 0x9e37_79b9_7f4a_7c15L + at;
    }

    private static long step(long size) {
        return size <= THROUGHOUT ? 8 : PAGE;
    }
}
