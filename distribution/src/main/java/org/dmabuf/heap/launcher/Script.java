// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.function.BooleanSupplier;

/**
 * Command lines from standard input, one at a time, like {@code sh -e}: the first that fails ends it, because what
 * follows was written in the belief that it worked.
 */
final class Script {
    private Script() {}

    /** Runs one line. */
    @FunctionalInterface
    interface Shell {
        void run(String line) throws Failure;
    }

    /**
     * Runs the lines.
     *
     * @param exitSaid asked after each line: whether the script ends here
     * @throws Failure of the first line that fails, with its number
     */
    static void run(BufferedReader lines, Shell shell, BooleanSupplier exitSaid) throws Failure {
        try {
            int number = 1;
            for (String line = lines.readLine(); line != null && !exitSaid.getAsBoolean(); line = lines.readLine()) {
                try {
                    shell.run(line);
                } catch (Failure e) {
                    throw Failure.of("line " + number + ": " + e.getMessage(), e.getCause());
                }
                number++;
            }
        } catch (IOException e) {
            throw Failure.of("cannot read the commands: " + Sentence.of(e), e);
        }
    }
}
