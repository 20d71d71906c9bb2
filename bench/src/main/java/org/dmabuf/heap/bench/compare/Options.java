// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Arguments of the command.
 *
 * @param bench the folder {@code bench} of the repository
 * @param groups names of groups; all if empty
 * @param quick whether the measurement is short
 * @param against the results of an earlier run
 * @param out the folder for the results
 */
record Options(Path bench, List<String> groups, boolean quick, Optional<Path> against, Optional<Path> out) {
    /** {@return the options; the first argument is the folder {@code bench}} */
    static Options parse(String... args) {
        List<String> groups = new ArrayList<>();
        boolean quick = false;
        Optional<Path> against = Optional.empty();
        Optional<Path> out = Optional.empty();
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--quick" -> quick = true;
                case "--against" -> against = Optional.of(file(args, ++i));
                case "--out" -> out = Optional.of(file(args, ++i));
                default -> groups.add(args[i]);
            }
        }
        return new Options(Path.of(args[0]), List.copyOf(groups), quick, against, out);
    }

    private static Path file(String[] args, int index) {
        if (index == args.length) {
            throw new IllegalArgumentException("invalid option " + args[index - 1] + ": expected a path after it");
        }
        return Path.of(args[index]);
    }

    /** {@return the folder for the results: a part of them never replaces those in the repository} */
    Path folder() {
        return out.orElse(bench.resolve(quick || !groups.isEmpty() ? "target/compare" : "results"));
    }
}
