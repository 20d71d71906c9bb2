// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.util.function.LongSupplier;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.machine.PressureWatch;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Pools by a clock and with a pressure of a test's choice. */
public final class MadeUpPools {
    private MadeUpPools() {}

    /** {@return the source with pools before it, started, to be closed} */
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
