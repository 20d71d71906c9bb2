// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Access to the first byte of a buffer, which identifies the buffer and shows that its memory exists. */
final class FirstByte {
    private FirstByte() {}

    static void write(DmaBuf buffer, int value) {
        try (Arena arena = Arena.ofConfined()) {
            buffer.map(Access.READ_WRITE, arena).set(JAVA_BYTE, 0, (byte) value);
        }
    }

    static int read(DmaBuf buffer) {
        try (Arena arena = Arena.ofConfined()) {
            return buffer.map(Access.READ, arena).get(JAVA_BYTE, 0);
        }
    }

    /** Reads as a peer does, which has only the descriptor. */
    static int read(OwnedFd descriptor, long size) {
        try (Arena arena = Arena.ofConfined()) {
            return new Mappings(Syscalls.linux())
                    .map(descriptor, size, Access.READ, arena)
                    .get(JAVA_BYTE, 0);
        }
    }
}
