// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.function.Supplier;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Regions whose holders a test tracks. */
public final class MadeUpRegions {
    private MadeUpRegions() {}

    /** {@return a region of this machine, to be closed} */
    public static RegionSource open(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, Supplier<HolderTracker> tracker) {
        return RegionSource.open(heap, layout, syscalls, headroom, HugePages.ofTheMachine(), tracker);
    }

    /** {@return bytes of a region that hold memory without a buffer in it; 0 for any other source} */
    public static long occupied(MemorySource source) {
        return source instanceof EmulatedCmaSource region ? region.occupied() : 0;
    }
}
