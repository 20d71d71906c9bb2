// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.function.Supplier;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.holder.HolderTracker;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Regions with a tracker of holders that a test controls. */
public final class MadeUpRegions {
    private MadeUpRegions() {}

    /** {@return a region of this machine, which the caller closes} */
    public static RegionSource open(
            String heap, RegionLayout layout, Syscalls syscalls, Headroom headroom, Supplier<HolderTracker> tracker) {
        return RegionSource.open(heap, layout, syscalls, headroom, HugePages.ofTheMachine(), tracker);
    }

    /** {@return bytes of a region that use memory without a buffer in them; 0 for any other source} */
    public static long occupied(MemorySource source) {
        return source instanceof EmulatedCmaSource region ? region.occupied() : 0;
    }
}
