// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.broker.Parts;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;
import org.openjdk.jcstress.infra.results.III_Result;

/** Tests of the count of holds of a {@link SharedBuffer}. */
public class SharedBufferHolds {
    /** One thread takes a hold while another drops the last one. Either the hold is refused, or the memory stays. */
    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "released once, not used after")
    @State
    public static class HoldAgainstLastDrop {
        private final Parts parts = new Parts();
        private final SharedBuffer buffer = parts.buffer();

        @Actor
        public void last() {
            buffer.drop();
        }

        @Actor
        public void another(IIII_Result result) {
            if (buffer.hold()) {
                parts.memory.use();
                result.r1 = 1;
                buffer.drop();
            }
        }

        @Arbiter
        public void check(IIII_Result result) {
            result.r2 = parts.memory.released();
            result.r3 = parts.memory.misused();
            result.r4 = parts.charged();
        }
    }

    /**
     * Two threads drop the last two holds at once. One of them releases the memory, and sees all writes of the other.
     */
    @JCStressTest
    @Outcome(id = "1, 0, 0", expect = Expect.ACCEPTABLE, desc = "released once, not used after")
    @State
    public static class LastTwoDrops {
        private final Parts parts = new Parts();
        private final SharedBuffer buffer = parts.buffer();

        public LastTwoDrops() {
            buffer.hold();
        }

        @Actor
        public void one() {
            parts.memory.use();
            buffer.drop();
        }

        @Actor
        public void other() {
            parts.memory.use();
            buffer.drop();
        }

        @Arbiter
        public void check(III_Result result) {
            result.r1 = parts.memory.released();
            result.r2 = parts.memory.misused();
            result.r3 = parts.charged();
        }
    }
}
