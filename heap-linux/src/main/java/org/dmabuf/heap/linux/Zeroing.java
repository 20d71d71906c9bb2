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
    private static final MethodHandle MEMSET = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("memset"),
                    FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));

    private Zeroing() {}

    /** Clears a mapping, on the thread of the caller. Not a critical call: a large one would hold up the collector. */
    static void clear(MemorySegment mapping) {
        try {
            long _ = (long) MEMSET.invokeExact(mapping.address(), 0, mapping.byteSize());
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
