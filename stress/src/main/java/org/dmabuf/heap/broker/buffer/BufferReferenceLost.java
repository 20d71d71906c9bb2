// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.broker.Parts;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/** Tests of a reference that is detected as lost while another thread ends it. Only one of the two drops its hold. */
public class BufferReferenceLost {
    /** State of all tests, with another reference that keeps the memory until the end of the test. */
    @State
    public static class Losing {
        final Parts parts = new Parts();
        final BufferReference reference = parts.reference();
        private final BufferReference other = (BufferReference) reference.newReference();

        void check(IIII_Result result) {
            parts.settle();
            result.r1 = parts.leaks.get();
            result.r2 = parts.memory.released();
            other.close();
            result.r3 = parts.memory.released();
            result.r4 = parts.memory.misused() + parts.charged();
        }
    }

    /** The garbage collector finds a reference whose last use was its close. */
    @JCStressTest
    @Outcome(id = "0, 0, 1, 0", expect = Expect.ACCEPTABLE, desc = "closed")
    @Outcome(id = "1, 0, 1, 0", expect = Expect.ACCEPTABLE, desc = "found lost, reported once")
    @State
    public static class CloseAgainstLost extends Losing {
        @Actor
        public void close() {
            reference.close();
        }

        @Actor
        public void lost() {
            reference.tracker.lost();
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /** The client's bundle stops meanwhile. If the stop comes first, no leak is reported. */
    @JCStressTest
    @Outcome(id = "0, 0, 1, 0", expect = Expect.ACCEPTABLE, desc = "taken back")
    @Outcome(id = "1, 0, 1, 0", expect = Expect.ACCEPTABLE, desc = "found lost, reported once")
    @State
    public static class TakenBackAgainstLost extends Losing {
        @Actor
        public void takenBack() {
            reference.tracker.reclaim();
        }

        @Actor
        public void lost() {
            reference.tracker.lost();
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /** The last reference is lost while a mapping of it ends. */
    @JCStressTest
    @Outcome(id = "1, 1, 1, 0", expect = Expect.ACCEPTABLE, desc = "released once, after the mapping")
    @State
    public static class LostAgainstEndOfMapping {
        private final Parts parts = new Parts();
        private final BufferReference reference = parts.reference();
        private final Arena arena = Arena.ofShared();

        public LostAgainstEndOfMapping() {
            reference.map(Access.READ, arena);
        }

        @Actor
        public void lost() {
            reference.tracker.lost();
        }

        @Actor
        public void end() {
            arena.close();
            parts.settle();
        }

        @Arbiter
        public void settled(IIII_Result result) {
            parts.settle();
            result.r1 = parts.leaks.get();
            result.r2 = parts.memory.released();
            reference.close();
            result.r3 = parts.memory.released();
            result.r4 = parts.memory.misused() + parts.charged();
        }
    }
}
