// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.Map;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.broker.Memory;
import org.dmabuf.heap.broker.Parts;
import org.dmabuf.heap.broker.heap.HeapRegistry;
import org.dmabuf.heap.broker.heap.RegisteredHeap;
import org.dmabuf.heap.constraint.Demand;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * Tests of a plan whose only heap changes so that it no longer meets the demands. Each call gets a buffer or a refusal,
 * and after the change no call gets a buffer.
 */
public class PlanFollows {
    /** Two threads allocate from one plan, and a third changes the heap. */
    @JCStressTest
    @Outcome(
            id = {"0, 0, 0", "0, 1, 0", "1, 0, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "before or after the change; no buffer afterwards")
    @State
    public static class AllocateAgainstChange {
        private final Parts parts = new Parts();
        private final HeapRegistry registry = new HeapRegistry(parts.ledger);
        private final RegisteredHeap heap = Parts.arrive(registry, request -> new Memory());
        private final AllocationPlan plan = parts.planner(registry, new DemandSources())
                .plan(parts.client, AllocationRequest.of(1).withDemands(Demand.parse("client mappable=true")));

        private int allocate() {
            try (DmaBuf buffer = plan.allocate()) {
                return buffer.size() > 0 ? 1 : -1;
            } catch (HeapException e) {
                return e.conflict().isPresent() || !e.attempts().isEmpty() ? 0 : -1;
            }
        }

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
            registry.changed(
                    heap.service(), () -> Map.of(HeapProperties.NAME, heap.name(), HeapProperties.MAPPABLE, false));
        }

        @Arbiter
        public void afterwards(III_Result result) {
            parts.settle();
            result.r3 = allocate();
        }
    }
}
