// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Clearing of memory by memset(3), which is faster than {@link MemorySegment#fill} from 64 KiB on. A missing page kills
 * the process here, while Java's own access would throw. Use it only for memory that this process has made, sealed and
 * populated.
 */
public final class Memset {
    /** Bytes that one critical call clears. It takes some microseconds, which can delay the garbage collector. */
    private static final long BRIEF = 256 << 10;

    private static final FunctionDescriptor TYPE = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG);
    private static final MethodHandle MEMSET = Libc.linkPlain("memset", TYPE);
    private static final MethodHandle BRIEF_MEMSET = Libc.linkCritical("memset", TYPE);

    private Memset() {}

    /** Clears a part of a mapping in the caller's thread. */
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
