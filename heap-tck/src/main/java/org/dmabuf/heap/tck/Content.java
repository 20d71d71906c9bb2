// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Check of memory contents, many bytes at a time. */
final class Content {
    private static final int BLOCK = 64 << 10;

    private Content() {}

    /** @param description of the memory, for the message */
    static void assertFilledWith(int value, MemorySegment memory, Object what) {
        MemorySegment expected = MemorySegment.ofArray(new byte[BLOCK]).fill((byte) value);
        for (long offset = 0; offset < memory.byteSize(); offset += BLOCK) {
            long length = Math.min(BLOCK, memory.byteSize() - offset);
            long mismatch = MemorySegment.mismatch(memory, offset, offset + length, expected, 0, length);
            if (mismatch >= 0) {
                int found = memory.get(ValueLayout.JAVA_BYTE, offset + mismatch) & 0xff;
                throw new AssertionError("%s: byte %d of %d is 0x%02x and not 0x%02x"
                        .formatted(what, offset + mismatch, memory.byteSize(), found, value & 0xff));
            }
        }
    }
}
