// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;
import org.openjdk.jcstress.infra.results.II_Result;

/** Work that is handed over is done once. */
public class ReaperWork {
    /** Work comes while the reaper's thread goes to sleep: it does not sleep through it. */
    @JCStressTest
    @Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "done once, without another submission to wake it")
    @State
    public static class SubmitAgainstPark {
        private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);
        private static final Reaper REAPER = new Reaper();

        static {
            REAPER.start();
        }

        private final AtomicInteger first = new AtomicInteger();
        private final AtomicInteger second = new AtomicInteger();

        @Actor
        public void submit(II_Result result) {
            REAPER.submit(first::incrementAndGet);
            result.r1 = awaited(first);
        }

        /** Comes late enough, often, that the thread is on its way to sleep after the first. */
        @Actor
        public void submitLater(II_Result result) {
            while (first.get() == 0) {
                Thread.onSpinWait();
            }
            REAPER.submit(second::incrementAndGet);
            result.r2 = awaited(second);
        }

        private static int awaited(AtomicInteger done) {
            long start = System.nanoTime();
            while (done.get() == 0 && System.nanoTime() - start < PATIENCE) {
                Thread.onSpinWait();
            }
            return done.get();
        }
    }

    /** Work comes while the reaper stops: one of the two does it. */
    @JCStressTest
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "done once")
    @State
    public static class SubmitAgainstStop {
        private final Reaper reaper = new Reaper();
        private final AtomicInteger done = new AtomicInteger();

        @Actor
        public void submit() {
            reaper.submit(done::incrementAndGet);
        }

        @Actor
        public void stop() {
            reaper.stop();
        }

        @Arbiter
        public void check(I_Result result) {
            result.r1 = done.get();
        }
    }
}
