// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * memset(3), which clears 64 KiB and more faster than {@link MemorySegment#fill}. A page that is missing kills the
 * process here, where Java's own access would throw: so it is for memory that this process made, sealed and populated.
 */
@SuppressWarnings("restricted") // linking native functions is what this class is for
final class Zeroing {
    /** How much a critical call clears: some microseconds, for which the collector may have to wait. */
    private static final long BRIEF = 256 << 10;

    private static final MethodHandle MEMSET = link();
    private static final MethodHandle BRIEF_MEMSET = link(Linker.Option.critical(false));

    private Zeroing() {}

    private static MethodHandle link(Linker.Option... options) {
        return Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("memset"),
                        FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG),
                        options);
    }

    /** Clears a mapping, on the thread of the caller. */
    static void clear(MemorySegment mapping) {
        try {
            long size = mapping.byteSize();
            if (size <= BRIEF) {
                long _ = (long) BRIEF_MEMSET.invokeExact(mapping.address(), 0, size);
            } else {
                long _ = (long) MEMSET.invokeExact(mapping.address(), 0, size);
            }
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
