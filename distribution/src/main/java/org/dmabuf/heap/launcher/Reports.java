// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Reports on the jars of a folder, each on one printable line. If the log throws, for example for lack of memory, the
 * work on the jars continues. A problem that could not be logged is kept and reported later.
 */
final class Reports {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** Limit of kept problems: a log that never recovers must not fill the heap. */
    private static final int MAX_KEPT = 100;

    private final Consumer<String> problems;
    private final Deque<String> kept = new ArrayDeque<>();

    /** @param problems receives a sentence for each problem */
    Reports(Consumer<String> problems) {
        this.problems = problems;
    }

    /** Reports a problem that needs the operator's attention. */
    synchronized void problem(String sentence) {
        if (kept.size() < MAX_KEPT) {
            kept.add(Printable.of(sentence));
        }
        flush();
    }

    /** Reports again the problems that could not be logged. */
    synchronized void flush() {
        try {
            while (!kept.isEmpty()) {
                problems.accept(kept.getFirst());
                kept.removeFirst();
            }
        } catch (Throwable e) {
            debug("writing a log line failed", e); // it is reported at the next call
        }
    }

    /** Reports a success. */
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
            // No other place could report it.
        }
    }
}
