// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.function.Function;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.pool.MadeUpPools;
import org.dmabuf.heap.linux.pool.PoolBudget;
import org.dmabuf.heap.linux.region.EmulatedCmaSource;
import org.dmabuf.heap.linux.region.MadeUpRegions;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.text.Bytes;

/** Sources that need no device node, opened as the heaps do it. */
public enum PlainSource implements Function<FaultyMachine, MemorySource> {
    MEMFD(1 << 20) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return MemfdSource.open(HEAP, machine.syscalls, machine.headroom);
        }
    },
    POOLED(256 << 10) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return pooled(machine, MEMFD.apply(machine));
        }
    },
    REGION(1 << 20) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return region(machine, RegionLayout.of(SIZE, "size").withExports(RegionLayout.Exports.MEMFD));
        }
    },
    CHUNKED_REGION(1 << 20) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return region(
                    machine,
                    RegionLayout.of(SIZE, "size")
                            .withExports(RegionLayout.Exports.MEMFD)
                            .withChunk(256 << 10));
        }
    },
    EMULATED_CMA(1 << 20) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return emulatedCma(machine, RegionLayout.Exports.MEMFD);
        }
    },
    SECRET(256 << 10) {
        @Override
        public MemorySource apply(FaultyMachine machine) {
            return machine.secrets.open(
                    HEAP,
                    machine.syscalls,
                    machine.headroom,
                    new MlockLimit(1 << 20)); // of 8 MiB, because mappings of holders are locked too
        }
    };

    /** Name of the heap for which all of them are opened. */
    public static final String HEAP = "random";

    /** Size of a region in bytes. */
    public static final long SIZE = 8 << 20;

    /** Size of its largest buffers in bytes. */
    public final long largest;

    PlainSource(long largest) {
        this.largest = largest;
    }

    /** {@return a source with pools in front of another source, which it owns} */
    public static MemorySource pooled(FaultyMachine machine, MemorySource source) {
        PoolBudget budget = PoolBudget.none()
                .withPrewarmed(Bytes.PAGE, 4)
                .withPrewarmed(16 * Bytes.PAGE, 4)
                .withRecycled(64 * Bytes.PAGE);
        try {
            return MadeUpPools.over(
                    source, HEAP, machine.syscalls, machine.headroom, budget, machine.pressure(HEAP), machine::now);
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
    }

    /** {@return a region on this machine} */
    public static MemorySource region(FaultyMachine machine, RegionLayout layout) {
        return MadeUpRegions.open(HEAP, layout, machine.syscalls, machine.headroom, machine::watching);
    }

    /** {@return a region that has memory only where it has buffers} */
    public static MemorySource emulatedCma(FaultyMachine machine, RegionLayout.Exports exports) {
        return EmulatedCmaSource.open(
                HEAP,
                RegionLayout.of(SIZE, "size").withAlignmentCap(1 << 20).withExports(exports),
                machine.syscalls,
                machine.headroom);
    }

    /** {@return bytes of a region that use memory without a buffer in them; 0 for any other source} */
    public static long occupied(MemorySource source) {
        return MadeUpRegions.occupied(source);
    }
}
