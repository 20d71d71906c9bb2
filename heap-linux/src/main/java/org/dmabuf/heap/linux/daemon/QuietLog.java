// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.lang.System.Logger.Level;

/** Log of one class that ignores failures: a logger or a message that throws does not affect the caller. */
public final class QuietLog {
    private final System.Logger logger;

    /** Makes a log for the logger with the class's name. */
    public QuietLog(Class<?> source) {
        logger = System.getLogger(source.getName());
    }

    /** Logs a message with parameters, as {@link System.Logger#log(Level, String, Object...)}. */
    public void write(Level level, String format, Object... parameters) {
        try {
            logger.log(level, format, parameters);
        } catch (Throwable e) { // there is no other place to report it
        }
    }

    /** Logs a message with its cause. */
    public void failure(Level level, String message, Throwable cause) {
        try {
            logger.log(level, message, cause);
        } catch (Throwable e) { // there is no other place to report it
        }
    }
}
