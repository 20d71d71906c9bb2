// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import org.slf4j.Logger;
import org.slf4j.event.Level;

/**
 * Writer of log lines. A line has the reason of an exception; if the logger prints level info, also the stack trace.
 * Every text is made {@link Printable}, so a name or message cannot end the line or send control characters to the
 * terminal.
 */
final class LogLine {
    private LogLine() {}

    static void write(Logger log, Level level, String message) {
        write(log, level, message, null);
    }

    static void write(Logger log, Level level, String message, Throwable thrown) {
        if (!log.isEnabledForLevel(level)) {
            return;
        }
        String line = Printable.of(message);
        if (thrown == null) {
            log.atLevel(level).log(line);
        } else if (log.isInfoEnabled()) {
            log.atLevel(level).setCause(Printable.of(thrown)).log(line);
        } else {
            log.atLevel(level).log(line + ": " + Sentence.of(thrown));
        }
    }
}
