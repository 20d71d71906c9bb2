// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.Parts;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * Tests of a heap that leaves while it is used. Its buffers stay valid, and the registry forgets the heap once they are
 * gone.
 */
public class HeapDeparts {
    /**
     * State with a heap that leaves. Results include the number of heaps that are still known when the last buffer is
     * gone.
     */
    @State
    public static class Departing {
        final Parts parts = new Parts();
        final HeapRegistry registry = new HeapRegistry(parts.ledger);
        /** A plain field that the heap's code writes. */
        int entered;

        private final RegisteredHeap heap = Parts.arrive(registry, request -> {
            entered++;
            return parts.memory;
        });
        final Allocator allocator = parts.allocator(registry);

        void check(IIII_Result result) {
            parts.settle();
            result.r3 = parts.memory.misused();
            result.r4 = registry.departed().size()
                    + (int) heap.account().buffers()
                    + registry.present().size();
        }
    }

    /** The request gets a buffer or a refusal. Once the heap has left, its code is not entered. */
    @JCStressTest
    @Outcome(id = "0, 0, 0, 0", expect = Expect.ACCEPTABLE, desc = "the heap had left")
    @Outcome(id = "1, 1, 0, 0", expect = Expect.ACCEPTABLE, desc = "a buffer, made before the heap had left")
    @State
    public static class AllocateAgainstDepart extends Departing {
        private DmaBuf buffer;

        @Actor
        public void allocate(IIII_Result result) {
            try {
                buffer = allocator.allocate(parts.client, AllocationRequest.of(1));
                result.r1 = 1;
            } catch (HeapException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void depart(IIII_Result result) {
            Parts.depart(registry);
            result.r2 = entered;
        }

        @Arbiter
        public void settled(IIII_Result result) {
            if (buffer != null) {
                buffer.close();
                if (parts.memory.released() != 1) {
                    result.r2 = -1;
                }
            }
            check(result);
        }
    }

    /** The last reference and a mapping end while the heap leaves. */
    @JCStressTest
    @Outcome(id = "1, 1, 0, 0", expect = Expect.ACCEPTABLE, desc = "mapped, released once, forgotten")
    @State
    public static class MapAndCloseAgainstDepart extends Departing {
        private final DmaBuf buffer = allocator.allocate(parts.client, AllocationRequest.of(1));

        @Actor
        public void mapAndClose(IIII_Result result) {
            try (Arena arena = Arena.ofConfined()) {
                buffer.map(Access.READ_WRITE, arena);
                buffer.close();
                parts.memory.use();
                result.r1 = 1;
            }
        }

        @Actor
        public void depart() {
            Parts.depart(registry);
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
            result.r2 = parts.memory.released();
        }
    }
}
