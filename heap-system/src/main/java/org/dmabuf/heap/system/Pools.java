// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.system;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.PoolBudget;

/** The settings of the pools, as words. */
final class Pools {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,19})([KMG]?)");

    private final String heap;

    private Pools(String heap) {
        this.heap = heap;
    }

    /**
     * Reads the settings.
     *
     * @param config as it came
     * @return what the pools may keep
     * @throws HeapException {@link Errno#EINVAL} with what is wrong and what would be right
     */
    static PoolBudget budget(SystemHeap.Config config) {
        Pools pools = new Pools(config.heap_name());
        PoolBudget budget = PoolBudget.none()
                .recycled(pools.size("pool.recycle", config.pool_recycle(), config.pool_recycle().strip()))
                .idle(pools.idle(config.pool_idle_s()));
        for (String entry : entries(config.pool_prewarm())) {
            budget = pools.prewarmed(budget, entry);
        }
        return budget;
    }

    private static List<String> entries(String[] setting) {
        return Arrays.stream(setting)
                .flatMap(text -> Stream.of(text.strip().split("\\s+")))
                .filter(entry -> !entry.isEmpty())
                .toList();
    }

    private PoolBudget prewarmed(PoolBudget budget, String entry) {
        String[] parts = entry.split("=", -1);
        if (parts.length == 2) {
            long size = size("pool.prewarm", entry, parts[0]);
            try {
                return budget.prewarmed(size, Integer.parseInt(parts[1]));
            } catch (ArithmeticException | IllegalArgumentException e) {
                // no such size or number, or more than there are bytes
            }
        }
        throw wrong("pool.prewarm", entry, "SIZE=COUNT, for instance 1M=8");
    }

    private Duration idle(int seconds) {
        if (seconds <= 0) {
            throw wrong("pool.idle.s", Integer.toString(seconds), "a number of seconds from 1 on");
        }
        return Duration.ofSeconds(seconds);
    }

    private long size(String setting, String entry, String text) {
        Matcher size = SIZE.matcher(text);
        if (size.matches()) {
            int shift = size.group(2).isEmpty() ? 0 : 10 * ("KMG".indexOf(size.group(2)) + 1);
            try {
                return Math.multiplyExact(Long.parseLong(size.group(1)), 1L << shift);
            } catch (ArithmeticException | NumberFormatException e) {
                // more than there are bytes
            }
        }
        throw wrong(setting, entry, "a size in bytes, or with K, M or G behind the number");
    }

    private HeapException wrong(String setting, String entry, String right) {
        return new HeapException(
                Errno.EINVAL,
                heap,
                "heap '" + heap + "': " + setting + " = " + entry + " in " + SystemHeap.PID + " is none; set it to "
                        + right);
    }
}
