// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/** Tests that submitted work is done once. */
public class ReaperWork {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);

    /** Work that counts how often it is performed. */
    private static final class Piece extends LinkedDeferredWork {
        private final AtomicInteger done;

        Piece(AtomicInteger done) {
            this.done = done;
        }

        @Override
        public void perform() {
            done.incrementAndGet();
        }

        @Override
        public long bytes() {
            return 0;
        }
    }

    /** Work is submitted while the reaper's thread goes to sleep. The thread does not miss it. */
    @JCStressTest
    @Outcome(id = "1, 1", expect = Expect.ACCEPTABLE, desc = "done once, without another submission to wake it")
    @State
    public static class SubmitAgainstPark {
        private static final Reaper REAPER = new Reaper("stress");

        private final AtomicInteger first = new AtomicInteger();
        private final AtomicInteger second = new AtomicInteger();

        @Actor
        public void submit(II_Result result) {
            REAPER.submit(new Piece(first));
            result.r1 = awaited(first);
        }

        /** Submits late enough that the thread is often about to sleep after the first piece. */
        @Actor
        public void submitLater(II_Result result) {
            while (first.get() == 0) {
                Thread.onSpinWait();
            }
            REAPER.submit(new Piece(second));
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

    /** Work is submitted while the reaper stops. Either the old thread or a new one does it. */
    @JCStressTest
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "done once")
    @State
    public static class SubmitAgainstStop {
        private final Reaper reaper = new Reaper("stress");
        private final AtomicInteger done = new AtomicInteger();

        @Actor
        public void submit() {
            reaper.submit(new Piece(done));
        }

        @Actor
        public void stop() {
            reaper.stop();
        }

        @Arbiter
        public void check(I_Result result) {
            reaper.join(System.nanoTime() + PATIENCE);
            result.r1 = done.get();
        }
    }

    /** A client helps while the reaper works. Each piece is performed by one of them. */
    @JCStressTest
    @Outcome(id = "2", expect = Expect.ACCEPTABLE, desc = "both done once")
    @State
    public static class DrainAgainstDrain {
        private final Reaper reaper = new Reaper("stress", Duration.ofSeconds(10), 0);
        private final AtomicInteger done = new AtomicInteger();

        public DrainAgainstDrain() {
            reaper.submit(new Piece(done));
        }

        @Actor
        public void submitAndDrain() {
            reaper.submit(new Piece(done));
            reaper.drain();
        }

        @Actor
        public void drain() {
            reaper.drain();
        }

        @Arbiter
        public void check(I_Result result) {
            result.r1 = done.get();
        }
    }

    /** A call of settle returns when all work that was submitted before is done, even by another thread. */
    @JCStressTest
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "done before the wait is over")
    @State
    public static class SettleAgainstDrain {
        private final Reaper reaper = new Reaper("stress", Duration.ofSeconds(10), 1);
        private final AtomicInteger done = new AtomicInteger();

        public SettleAgainstDrain() {
            reaper.submit(new Piece(done));
        }

        @Actor
        public void settle(I_Result result) {
            reaper.settle(System.nanoTime() + PATIENCE);
            result.r1 = done.get();
        }

        @Actor
        public void drain() {
            reaper.drain();
        }

        @Arbiter
        public void end() {
            reaper.stop();
            reaper.join(System.nanoTime() + PATIENCE);
        }
    }
}
