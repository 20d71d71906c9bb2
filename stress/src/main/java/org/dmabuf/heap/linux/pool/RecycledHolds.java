// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Tests of memory that is recycled without the pool's lock. It has one user at a time, no memory is lost, and the
 * budget is kept. Pooled, taken and released memory adds up to all memory that was created.
 */
public class RecycledHolds {
    private static final long UNIT = 4096;

    /** A pool with a budget of some units. */
    @State
    public abstract static class Pool {
        private final int budget;
        private final RecyclePool pool;
        private final AtomicInteger made = new AtomicInteger();
        private final AtomicInteger taken = new AtomicInteger();
        private final AtomicInteger released = new AtomicInteger();

        Pool(int budget) {
            this.budget = budget;
            this.pool = new RecyclePool(budget * UNIT, 0);
        }

        /** Creates a stand-in for memory that needs no zeroing. */
        PooledMemory memory(int units) {
            made.addAndGet(units);
            HeapBuffer buffer = new HeapBuffer() {
                @Override
                public long size() {
                    return units * UNIT;
                }

                @Override
                public int descriptor() {
                    return -1;
                }

                @Override
                public MemorySegment map(Access access) {
                    return MemorySegment.NULL;
                }

                @Override
                public void unmap(MemorySegment mapping) {}

                @Override
                public void release() {
                    released.addAndGet(units);
                }
            };
            return PooledMemory.make(
                    _ -> buffer, "pool", HeapRequest.of(units * UNIT).withExport(ExportMode.NONE));
        }

        void put(PooledMemory memory) {
            pool.put(memory);
        }

        void take(int units) {
            if (pool.take(units * UNIT) != null) {
                taken.addAndGet(units);
            }
        }

        void close() {
            pool.close();
        }

        /** Counts units over the budget, and lost units; a negative count means units that were served twice. */
        void count(II_Result result, int most) {
            int kept = (int) (pool.held() / UNIT);
            result.r1 = Math.max(0, kept - most);
            pool.close(); // a unit that only the count has is lost
            result.r2 = made.get() - taken.get() - released.get();
        }

        void count(II_Result result) {
            count(result, budget);
        }
    }

    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "for one of them")
    @State
    public static class TakeAgainstTake extends Pool {
        public TakeAgainstTake() {
            super(1);
            put(memory(1));
        }

        @Actor
        public void one() {
            take(1);
        }

        @Actor
        public void two() {
            take(1);
        }

        @Arbiter
        public void all(II_Result result) {
            count(result, 0);
        }
    }

    /** One unit enters as the youngest; the other displaces it or is displaced. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "one was too much")
    @State
    public static class PutAgainstPut extends Pool {
        private final PooledMemory one = memory(2);
        private final PooledMemory two = memory(1);

        public PutAgainstPut() {
            super(2);
        }

        @Actor
        public void one() {
            put(one);
        }

        @Actor
        public void two() {
            put(two);
        }

        @Arbiter
        public void all(II_Result result) {
            count(result);
        }
    }

    /** The unit that displaced the youngest is taken, and a larger one enters before the displaced one is counted. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "the budget held")
    @State
    public static class DisplaceAgainstTakeAndPut extends Pool {
        private final PooledMemory small = memory(1);
        private final PooledMemory large = memory(2);

        public DisplaceAgainstTakeAndPut() {
            super(3);
            put(memory(2));
        }

        @Actor
        public void displace() {
            put(small);
        }

        @Actor
        public void take() {
            take(1);
            put(large);
        }

        @Arbiter
        public void all(II_Result result) {
            count(result);
        }
    }

    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "released by one of them")
    @State
    public static class PutAgainstClose extends Pool {
        private final PooledMemory memory = memory(1);

        public PutAgainstClose() {
            super(1);
        }

        @Actor
        public void put() {
            put(memory);
        }

        @Actor
        public void end() {
            close();
        }

        @Arbiter
        public void all(II_Result result) {
            count(result, 0);
        }
    }

    /** Units are taken and returned while the pool closes. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "taken or released, and nothing kept")
    @State
    public static class RoundAgainstClose extends Pool {
        private final PooledMemory memory = memory(1);

        public RoundAgainstClose() {
            super(2);
            put(memory(1));
        }

        @Actor
        public void round() {
            take(1);
            put(memory);
        }

        @Actor
        public void end() {
            close();
        }

        @Arbiter
        public void all(II_Result result) {
            count(result, 0);
        }
    }
}
