// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Reports on the jars of a folder, each on one line that is safe to print. A log that throws, for lack of memory for
 * example, stops no work on the jars: a problem that it did not take is kept and reported later.
 */
final class Reports {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** A log that never works again must not fill the heap. */
    private static final int MAX_KEPT = 100;

    private final Consumer<String> problems;
    private final Deque<String> kept = new ArrayDeque<>();

    /** @param problems gets a sentence for each problem */
    Reports(Consumer<String> problems) {
        this.problems = problems;
    }

    /** Reports something that an operator has to know. */
    synchronized void problem(String sentence) {
        if (kept.size() < MAX_KEPT) {
            kept.add(Printable.of(sentence));
        }
        flush();
    }

    /** Reports again what the log did not take. */
    synchronized void flush() {
        try {
            while (!kept.isEmpty()) {
                problems.accept(kept.getFirst());
                kept.removeFirst();
            }
        } catch (Throwable e) {
            debug("the log did not take a line", e); // which is reported at the next call
        }
    }

    /** Reports what went well. */
    void info(String sentence) {
        write(Level.INFO, sentence, null);
    }

    void debug(String sentence, Throwable thrown) {
        write(Level.DEBUG, sentence, thrown);
    }

    private static void write(Level level, String sentence, Throwable thrown) {
        try {
            LogLine.write(LOG, level, sentence, thrown);
        } catch (Throwable e) {
            // There is no other place to report it.
        }
    }
}
