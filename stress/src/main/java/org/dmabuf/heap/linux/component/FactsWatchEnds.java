// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.component;

import java.util.concurrent.TimeUnit;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** Tests of the thread that watches facts, which ends with the last heap. */
public class FactsWatchEnds {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(10);
    private static final long PERIOD = TimeUnit.MICROSECONDS.toNanos(1);

    /** A heap arrives while the last one leaves. Either the old thread or a new one watches its facts. */
    @JCStressTest
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "the heap that arrives is watched")
    @State
    public static class AddAgainstEnd {
        private final FactsWatch watch = new FactsWatch(PERIOD);
        private volatile boolean renewed;

        @Actor
        public void leave() {
            Runnable leaving = () -> {};
            watch.add(leaving);
            watch.remove(leaving);
        }

        @Actor
        public void arrive() {
            watch.add(new Runnable() {
                @Override
                public void run() {
                    renewed = true;
                    watch.remove(this); // so that the thread ends
                }
            });
        }

        @Arbiter
        public void check(I_Result result) {
            long start = System.nanoTime();
            while (!renewed && System.nanoTime() - start < PATIENCE) {
                Thread.onSpinWait();
            }
            result.r1 = renewed ? 1 : 0;
        }
    }
}
