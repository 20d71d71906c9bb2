// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.function.BooleanSupplier;

/**
 * Runner of command lines from standard input, one at a time. Like {@code sh -e} it ends at the first failure, because
 * later lines rely on earlier ones.
 */
final class Script {
    private Script() {}

    /** Executor of one line. */
    @FunctionalInterface
    interface Shell {
        void run(String line) throws Failure;
    }

    /**
     * Runs the lines.
     *
     * @param exitSaid checked after each line: whether the script ends here
     * @throws Failure for the first line that fails, with its number
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
            throw Failure.of("reading the commands failed: " + Sentence.of(e), e);
        }
    }
}
