// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import org.dmabuf.heap.linux.libc.Libc;

/**
 * Memory of the machine by sysinfo(2), which works without /proc. It does not count page cache that the kernel can
 * drop.
 *
 * @param total bytes of memory
 * @param free bytes without content
 * @param shared bytes of shareable memory, such as memfds
 */
record SystemMemory(long total, long free, long shared) {
    // offsets in struct sysinfo of a 64-bit Linux
    private static final long TOTALRAM = 32;
    private static final long FREERAM = 40;
    private static final long SHAREDRAM = 48;
    private static final long MEM_UNIT = 104; // an int: bytes of each unit
    private static final long STRUCT_BYTES = 112;

    private static final MethodHandle SYSINFO = Libc.link("sysinfo", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

    /** {@return the current figures; empty if the kernel refuses them} */
    static Optional<SystemMemory> read() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(STRUCT_BYTES, 8);
            if (sysinfo(info) < 0) {
                return Optional.empty();
            }
            long unit = Integer.toUnsignedLong(info.get(JAVA_INT, MEM_UNIT));
            return Optional.of(new SystemMemory(
                    info.get(JAVA_LONG, TOTALRAM) * unit,
                    info.get(JAVA_LONG, FREERAM) * unit,
                    info.get(JAVA_LONG, SHAREDRAM) * unit));
        }
    }

    private static int sysinfo(MemorySegment info) {
        MemorySegment block = Libc.block();
        try {
            return Libc.result(block, (int) SYSINFO.invokeExact(block, info.address()));
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
