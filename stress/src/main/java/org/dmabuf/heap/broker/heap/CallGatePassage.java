// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.heap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Tests of the gate of a heap. A visitor writes a plain field while inside. Either the thread that closed the gate sees
 * that write, or the visitor was refused. The result "1, 0" would mean a visit during or after the close.
 */
public class CallGatePassage {
    private static final long LONG = Long.MAX_VALUE >> 1;

    /** A closed gate has no thread inside and refuses every thread. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "refused")
    @Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "the visit was over when the gate was closed")
    @State
    public static class EnterAgainstClose {
        private final CallGate gate = new CallGate();
        private int visits;

        @Actor
        public void visitor(II_Result result) {
            int ticket = gate.enter();
            if (ticket != CallGate.REFUSED) {
                visits++;
                result.r1 = 1;
                gate.leave(ticket);
            }
        }

        @Actor
        public void closer(II_Result result) {
            gate.close(LONG);
            result.r2 = visits;
        }
    }

    /**
     * A heap may unregister itself from within its own allocate. The close waits for the other threads and not for its
     * own.
     */
    @JCStressTest
    @Outcome(id = "0, 0, 0", expect = Expect.ACCEPTABLE, desc = "refused")
    @Outcome(id = "1, 1, 0", expect = Expect.ACCEPTABLE, desc = "the other visit was over when the gate was closed")
    @State
    public static class EnterAgainstCloseFromInside {
        private final CallGate gate = new CallGate();
        private int visits;

        @Actor
        public void visitor(III_Result result) {
            int ticket = gate.enter();
            if (ticket != CallGate.REFUSED) {
                visits++;
                result.r1 = 1;
                gate.leave(ticket);
            }
        }

        @Actor
        public void closer(III_Result result) {
            int ticket = gate.enter();
            result.r3 = gate.close(LONG);
            result.r2 = visits;
            gate.leave(ticket);
        }

        @Arbiter
        public void empty(III_Result result) {
            if (!gate.empty()) {
                result.r3 = -1;
            }
        }
    }

    /** The same test without a free slot: other threads occupy all 64 slots and stay inside. */
    @JCStressTest
    @Outcome(id = "0, 0, 0", expect = Expect.ACCEPTABLE, desc = "refused")
    @Outcome(id = "1, 1, 0", expect = Expect.ACCEPTABLE, desc = "the visit was over when the gate was closed")
    @Outcome(id = "0, 0, 1", expect = Expect.ACCEPTABLE, desc = "refused, and counted while it was turned away")
    @Outcome(
            id = {"1, 0, 1", "1, 1, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "the visit was counted as not over")
    @State
    public static class EnterCrowdAgainstClose {
        private static final Thread OTHER = new Thread();

        private final CallGate gate = new CallGate();
        private final int others;
        private int visits;

        public EnterCrowdAgainstClose() {
            AtomicReferenceArray<Thread> slots = Slots.of(gate);
            others = slots.length();
            for (int i = 0; i < others; i++) {
                slots.set(i, OTHER);
            }
        }

        @Actor
        public void visitor(III_Result result) {
            int ticket = gate.enter();
            if (ticket != CallGate.REFUSED) {
                visits++;
                result.r1 = 1;
                gate.leave(ticket);
            }
        }

        @Actor
        public void closer(III_Result result) {
            result.r3 = gate.close(0) - others;
            result.r2 = visits;
        }
    }

    /**
     * Two threads close at once, as happens when the broker stops while a heap leaves. Each of them finds the gate
     * empty.
     */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "both found the gate empty")
    @State
    public static class CloseAgainstCloseFromInside {
        private final CallGate gate = new CallGate();

        @Actor
        public void inside(II_Result result) {
            int ticket = gate.enter();
            result.r1 = gate.close(0);
            if (ticket != CallGate.REFUSED) {
                gate.leave(ticket);
            }
        }

        @Actor
        public void outside(II_Result result) {
            result.r2 = gate.close(LONG);
        }
    }

    private static final class Slots {
        private static final VarHandle SLOTS;

        static {
            try {
                SLOTS = MethodHandles.privateLookupIn(CallGate.class, MethodHandles.lookup())
                        .findVarHandle(CallGate.class, "slots", AtomicReferenceArray.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        @SuppressWarnings("unchecked")
        static AtomicReferenceArray<Thread> of(CallGate gate) {
            return (AtomicReferenceArray<Thread>) SLOTS.get(gate);
        }
    }
}
