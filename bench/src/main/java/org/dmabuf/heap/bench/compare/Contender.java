// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.util.function.DoubleSupplier;

/**
 * One of several ways that a row compares.
 *
 * @param name in the table
 * @param turn runs once, and returns nanoseconds for each operation
 */
public record Contender(String name, DoubleSupplier turn) {
    /** {@return a contender whose turn is a number of equal operations} */
    public static Contender of(String name, int times, Runnable operation) {
        return ofBatch(name, times, () -> {
            for (int i = 0; i < times; i++) {
                operation.run();
            }
        });
    }

    /** {@return a contender that does its operations in one call} */
    public static Contender ofBatch(String name, int times, Runnable batch) {
        return new Contender(name, () -> {
            long start = System.nanoTime();
            batch.run();
            return (double) (System.nanoTime() - start) / times;
        });
    }

    /** {@return the same contender with an action after each turn that is not measured} */
    public Contender followedBy(Runnable end) {
        return new Contender(name, () -> {
            double nanos = turn.getAsDouble();
            end.run();
            return nanos;
        });
    }

    /** {@return the same contender with an action before each turn that is not measured} */
    public Contender preparedBy(Runnable preparation) {
        return new Contender(name, () -> {
            preparation.run();
            return turn.getAsDouble();
        });
    }
}
