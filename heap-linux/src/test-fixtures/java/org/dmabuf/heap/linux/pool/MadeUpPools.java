// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.function.LongSupplier;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.PressureWatch;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Pools with a clock and a memory pressure that a test chooses. */
public final class MadeUpPools {
    private MadeUpPools() {}

    /** {@return the source with started pools in front of it, which the caller closes} */
    public static MemorySource over(
            MemorySource source,
            String heap,
            Syscalls syscalls,
            Headroom headroom,
            PoolBudget budget,
            PressureWatch pressure,
            LongSupplier nanoTime) {
        return new PooledSource(source, heap, syscalls, headroom, budget, pressure, nanoTime).start();
    }
}
