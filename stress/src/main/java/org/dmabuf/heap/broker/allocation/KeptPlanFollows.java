// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.List;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.Memory;
import org.dmabuf.heap.broker.Parts;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.constraint.Demand;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * Tests of plans that are kept for repeated requests while the sources of demands exclude the only heap. Each call gets
 * a buffer or a refusal, and after the change no call gets a buffer.
 */
public class KeptPlanFollows {
    private static final AllocationRequest REQUEST = AllocationRequest.of(1).forDevices("/dev/npu");
    private static final List<Demand> BEFORE = List.of(Demand.parse("/dev/npu mappable=true"));
    private static final List<Demand> AFTER = List.of(Demand.parse("/dev/npu not-heap=stress"));

    /** A planner with one heap and one source, which does not exclude the heap. */
    @State
    public abstract static class Planned {
        private final Parts parts = new Parts();
        private final DemandSources sources = new DemandSources();
        private final Planner planner;
        private volatile List<Demand> demands = BEFORE;

        Planned() {
            HeapRegistry registry = new HeapRegistry(parts.ledger);
            Parts.arrive(registry, request -> new Memory());
            planner = parts.planner(registry, sources);
            sources.add(1, device -> demands, "org.example.npu");
        }

        int allocate() {
            try (DmaBuf buffer = planner.allocate(parts.client, REQUEST)) {
                return buffer.size() > 0 ? 1 : -1;
            } catch (HeapException e) {
                return e.conflict().isPresent() ? 0 : -1;
            }
        }

        int allocateAfterwards() {
            parts.settle();
            return allocate();
        }

        void changeDemands() {
            demands = AFTER;
            sources.changed();
        }

        void addSource() {
            sources.add(2, device -> AFTER, "org.example.npu.errata");
        }
    }

    /** Two threads allocate for a device, and its source reports another demand. */
    @JCStressTest
    @Outcome(
            id = {"0, 0, 0", "0, 1, 0", "1, 0, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "before or after the change; no buffer afterwards")
    @State
    public static class AllocateAgainstChange extends Planned {
        @Actor
        public void first(III_Result result) {
            result.r1 = allocate();
        }

        @Actor
        public void second(III_Result result) {
            result.r2 = allocate();
        }

        @Actor
        public void change() {
            changeDemands();
        }

        @Arbiter
        public void afterwards(III_Result result) {
            result.r3 = allocateAfterwards();
        }
    }

    /** Two threads allocate for a device, and another source arrives. */
    @JCStressTest
    @Outcome(
            id = {"0, 0, 0", "0, 1, 0", "1, 0, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "before or after the arrival; no buffer afterwards")
    @State
    public static class AllocateAgainstArrival extends Planned {
        @Actor
        public void first(III_Result result) {
            result.r1 = allocate();
        }

        @Actor
        public void second(III_Result result) {
            result.r2 = allocate();
        }

        @Actor
        public void arrive() {
            addSource();
        }

        @Arbiter
        public void afterwards(III_Result result) {
            result.r3 = allocateAfterwards();
        }
    }
}
