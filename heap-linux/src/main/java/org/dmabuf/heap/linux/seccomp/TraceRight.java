// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;

/** Check of this process's right to read the memory of another one. */
public final class TraceRight {
    private TraceRight() {}

    /**
     * Returns whether the kernel permits it. The address that is read belongs to no process.
     *
     * @param pid a process, which is not this one
     * @return true also for a process that has ended
     */
    public static boolean over(int pid) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment space = arena.allocate(8, 8);
            MemorySegment local = arena.allocateFrom(JAVA_LONG, space.address(), 1);
            MemorySegment remote = arena.allocateFrom(JAVA_LONG, 0, 1);
            return SeccompCalls.linux().read(pid, local.address(), remote.address()) != -Errno.EPERM.number();
        }
    }
}
