// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * memset(3), which clears large memory faster than Java does. A fault inside it ends the process, so it is for memory
 * that nobody else can take away and whose pages are there.
 */
final class Zeroes {
    private static final MethodHandle MEMSET =
            Libc.link("memset", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));

    private Zeroes() {}

    static void write(long address, long size) {
        MemorySegment block = Libc.block();
        try {
            long _ = (long) MEMSET.invokeExact(block, address, 0, size);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
