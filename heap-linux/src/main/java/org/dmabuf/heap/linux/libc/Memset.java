// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Clearing of memory by memset(3), which is faster from 64 KiB on than {@link MemorySegment#fill}. A page that is
 * missing kills the process here, where Java's own access would throw: so it is for memory that this process made,
 * sealed and populated.
 */
public final class Memset {
    /** How much a critical call clears: some microseconds, for which the collector may have to wait. */
    private static final long BRIEF = 256 << 10;

    private static final FunctionDescriptor TYPE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG);
    private static final MethodHandle MEMSET = Libc.linkPlain("memset", TYPE);
    private static final MethodHandle BRIEF_MEMSET = Libc.linkCritical("memset", TYPE);

    private Memset() {}

    /** Clears a part of a mapping, on the thread of the caller. */
    public static void clear(long address, long size) {
        try {
            if (size <= BRIEF) {
                long _ = (long) BRIEF_MEMSET.invokeExact(address, 0, size);
            } else {
                long _ = (long) MEMSET.invokeExact(address, 0, size);
            }
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
