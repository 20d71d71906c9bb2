// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Race of several threads that begin each round at the same moment. They meet by spinning, so that the first steps of a
 * round interleave even on two processors.
 */
public final class Race {
    /** One thread's part of a round. */
    public interface Part {
        void run(int round) throws Exception;
    }

    /** Time limit that ends a broken test. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final List<Part> parts = new ArrayList<>();
    private Part before = round -> {};
    private Part after = round -> {};

    /** Sets the part that one thread runs before each round. */
    public Race before(Part setUp) {
        before = setUp;
        return this;
    }

    /** Adds the part of one more thread. */
    public Race with(Part part) {
        parts.add(part);
        return this;
    }

    /** Sets the check that runs after each round, when all parts are done. */
    public Race after(Part check) {
        after = check;
        return this;
    }

    /** Runs all rounds until the first failure, which is thrown. */
    public void run(int rounds) {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        AtomicInteger begun = new AtomicInteger(-1); // the round that may run
        AtomicInteger done = new AtomicInteger(); // parts that have ended in this round
        List<Thread> threads = new ArrayList<>();
        for (Part part : parts) {
            threads.add(Thread.ofPlatform().daemon().start(() -> {
                for (int round = 0; round < rounds; round++) {
                    int wanted = round;
                    spinUntil(() -> begun.get() >= wanted, Long.MAX_VALUE);
                    try {
                        if (begun.get() == wanted) {
                            pause(200);
                            part.run(round);
                        }
                    } catch (Throwable e) {
                        failure.compareAndSet(null, e);
                    }
                    done.incrementAndGet();
                }
            }));
        }
        try {
            for (int round = 0; round < rounds && failure.get() == null; round++) {
                done.set(0);
                before.run(round);
                begun.set(round);
                spinUntil(() -> done.get() == parts.size(), PATIENCE_NANOS);
                after.run(round);
            }
        } catch (Exception | AssertionError e) {
            failure.compareAndSet(null, e);
        } finally {
            begun.set(Integer.MAX_VALUE);
        }
        for (Thread thread : threads) {
            try {
                thread.join(Duration.ofNanos(PATIENCE_NANOS)); // a hanging thread is left behind
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        if (failure.get() instanceof Error error) {
            throw error;
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }

    /** Pauses for a random time, so that the threads of each round have another offset. */
    static void pause(int most) {
        int turns = ThreadLocalRandom.current().nextInt(most);
        for (int i = 0; i < turns; i++) {
            Thread.onSpinWait();
        }
    }

    /** Waits within a round until a count reaches a small random number, which differs in each round. */
    public static void awaitSome(AtomicInteger done) {
        int some = ThreadLocalRandom.current().nextInt(1, 6);
        spinUntil(() -> done.get() >= some, PATIENCE_NANOS);
    }

    private static void spinUntil(BooleanSupplier condition, long patience) {
        long start = System.nanoTime();
        for (int i = 0; !condition.getAsBoolean(); i++) {
            if (i < 1000) {
                Thread.onSpinWait();
            } else if (System.nanoTime() - start > patience) {
                throw new AssertionError("a round does not end");
            } else {
                LockSupport.parkNanos(20_000); // there are fewer processors than threads
            }
        }
    }
}
