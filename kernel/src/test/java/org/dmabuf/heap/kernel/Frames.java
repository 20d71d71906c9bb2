// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.dmabuf.heap.linux.text.Bytes;

/** Numbers of the physical frames behind a mapping, which the kernel shows to root. */
final class Frames {
    private static final int PAGE = (int) Bytes.PAGE;
    /** Bits of an entry of the pagemap; bit 63 is set for a page that is present. */
    private static final long NUMBER = (1L << 55) - 1;

    private Frames() {}

    /** {@return the number of each page's frame} */
    static long[] of(MemorySegment mapping) throws IOException {
        byte[] bytes = new byte[Math.toIntExact(mapping.byteSize() / PAGE * Long.BYTES)];
        try (RandomAccessFile pagemap = new RandomAccessFile("/proc/self/pagemap", "r")) {
            pagemap.seek(mapping.address() / PAGE * Long.BYTES);
            pagemap.readFully(bytes);
        }
        long[] frames = new long[bytes.length / Long.BYTES];
        ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).asLongBuffer().get(frames);
        for (int page = 0; page < frames.length; page++) {
            assertTrue(frames[page] < 0, "a page is not present");
            frames[page] &= NUMBER;
            assertTrue(frames[page] != 0, "frames are hidden from this process");
        }
        return frames;
    }
}
