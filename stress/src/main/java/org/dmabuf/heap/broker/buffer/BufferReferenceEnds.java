// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import java.lang.foreign.Arena;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.broker.Parts;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;
import org.openjdk.jcstress.infra.results.III_Result;

/** Tests of a reference that one thread closes while another uses it. */
public class BufferReferenceEnds {
    /** State of all tests: the memory is released once, is not used after the release, and no charge remains. */
    @State
    public static class Ending {
        final Parts parts = new Parts();
        final BufferReference reference = parts.reference();

        void check(IIII_Result result) {
            parts.settle();
            result.r2 = parts.memory.released();
            result.r3 = parts.memory.misused();
            result.r4 = parts.charged();
        }
    }

    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "mapped, or refused as closed")
    @State
    public static class CloseAgainstMap extends Ending {
        @Actor
        public void close() {
            reference.close();
        }

        @Actor
        public void map(IIII_Result result) {
            try (Arena arena = Arena.ofConfined()) {
                reference.map(Access.READ_WRITE, arena);
                parts.memory.use(); // until the arena ends
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "bracketed, or refused as closed")
    @State
    public static class CloseAgainstBracket extends Ending {
        @Actor
        public void close() {
            reference.close();
        }

        @Actor
        public void bracket(IIII_Result result) {
            try (var _ = reference.beginCpuAccess(Access.WRITE)) {
                parts.memory.use();
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "duplicated, or refused as closed")
    @State
    public static class CloseAgainstDuplicate extends Ending {
        @Actor
        public void close() {
            reference.close();
        }

        @Actor
        public void duplicate(IIII_Result result) {
            try (DmaBuf copy = reference.newReference()) {
                parts.memory.use();
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /** Two threads close one reference while another reference is open. Only one hold is dropped. */
    @JCStressTest
    @Outcome(id = "0, 1, 0", expect = Expect.ACCEPTABLE, desc = "the other reference kept the memory")
    @State
    public static class CloseTwice {
        private final Parts parts = new Parts();
        private final BufferReference reference = parts.reference();
        private final DmaBuf other = reference.newReference();

        @Actor
        public void one() {
            reference.close();
        }

        @Actor
        public void two() {
            reference.close();
        }

        @Arbiter
        public void check(III_Result result) {
            result.r1 = parts.memory.released();
            other.close();
            result.r2 = parts.memory.released();
            result.r3 = parts.memory.misused() + parts.charged();
        }
    }
}
