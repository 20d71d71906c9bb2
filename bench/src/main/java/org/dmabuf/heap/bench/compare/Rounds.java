// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Measurement of rows. In each round every contender has one turn, in a random order, so that each contender finds the
 * caches and the free memory as any other one leaves them.
 */
public final class Rounds {
    private final Effort effort;
    private final Consumer<String> progress;
    private final SplittableRandom random = new SplittableRandom(18);

    /**
     * Makes an object that measures with the given effort.
     *
     * @param progress receives the name of each row before its measurement
     */
    public Rounds(Effort effort, Consumer<String> progress) {
        this.effort = effort;
        this.progress = progress;
    }

    /** {@return the limits of a measurement} */
    public Effort effort() {
        return effort;
    }

    /** Measures a row as far as the effort permits. */
    public Row run(String group, String name, List<Contender> contenders) {
        progress.accept(group + ", " + name);
        rounds(contenders, 2, Integer.MAX_VALUE, effort.warmUp());
        return row(group, name, contenders, rounds(contenders, effort.fewest(), effort.most(), effort.budget()));
    }

    /** Measures a row with a fixed number of turns, after a tenth of it as warm-up. */
    public Row run(String group, String name, List<Contender> contenders, int turns) {
        progress.accept(group + ", " + name);
        rounds(contenders, turns / 10, turns / 10, Duration.ZERO);
        return row(group, name, contenders, rounds(contenders, turns, turns, Duration.ZERO));
    }

    private List<double[]> rounds(List<Contender> contenders, int fewest, int most, Duration budget) {
        List<double[]> rounds = new ArrayList<>();
        long start = System.nanoTime();
        while (rounds.size() < fewest || rounds.size() < most && System.nanoTime() - start < budget.toNanos()) {
            rounds.add(round(contenders));
        }
        return rounds;
    }

    private double[] round(List<Contender> contenders) {
        double[] nanos = new double[contenders.size()];
        int[] order = new int[nanos.length];
        for (int i = 0; i < order.length; i++) {
            int other = random.nextInt(i + 1);
            order[i] = order[other];
            order[other] = i;
        }
        for (int next : order) {
            nanos[next] = contenders.get(next).turn().getAsDouble();
        }
        return nanos;
    }

    private static Row row(String group, String name, List<Contender> contenders, List<double[]> rounds) {
        List<Series> series = new ArrayList<>();
        for (int i = 0; i < contenders.size(); i++) {
            int contender = i;
            series.add(new Series(
                    contenders.get(i).name(),
                    rounds.stream().mapToDouble(nanos -> nanos[contender]).toArray()));
        }
        return new Row(group, name, series);
    }
}
