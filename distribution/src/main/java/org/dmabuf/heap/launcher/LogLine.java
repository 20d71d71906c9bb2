// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import org.slf4j.Logger;
import org.slf4j.event.Level;

/** How what a framework reports is logged: one line with the reason, and the stack trace only from level info down. */
final class LogLine {
    private LogLine() {}

    static void write(Logger log, Level level, String message, Throwable thrown) {
        if (thrown == null) {
            log.atLevel(level).log(message);
        } else if (log.isInfoEnabled()) {
            log.atLevel(level).setCause(thrown).log(message);
        } else {
            log.atLevel(level).log(message + ": " + Sentence.of(thrown));
        }
    }
}
