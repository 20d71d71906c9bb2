// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.util.Arrays;
import org.dmabuf.heap.linux.text.Printable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log of one class that ignores failures: a logger or a message that throws does not affect the caller. Formats are
 * those of SLF4J; a throwable after the last argument is the cause, and a null there is ignored. Control characters
 * of arguments are escaped, because a name in a configuration must not end a line of the log.
 */
public final class QuietLog {
    /** Argument that is escaped if the logger uses it. */
    private record Escaped(Object argument) {
        @Override
        public String toString() {
            return Printable.of(argument.toString());
        }
    }

    private final Logger logger;

    /** Makes a log for the logger with the class's name. */
    public QuietLog(Class<?> source) {
        logger = LoggerFactory.getLogger(source);
    }

    /** Logs at level error. */
    public void error(String format, Object... arguments) {
        try {
            logger.error(format, printable(arguments));
        } catch (Throwable e) { // there is no other place to report it
        }
    }

    /** Logs at level warn. */
    public void warn(String format, Object... arguments) {
        try {
            logger.warn(format, printable(arguments));
        } catch (Throwable e) { // there is no other place to report it
        }
    }

    /** Logs at level info. */
    public void info(String format, Object... arguments) {
        try {
            logger.info(format, printable(arguments));
        } catch (Throwable e) { // there is no other place to report it
        }
    }

    /** Logs at level debug. */
    public void debug(String format, Object... arguments) {
        try {
            logger.debug(format, printable(arguments));
        } catch (Throwable e) { // there is no other place to report it
        }
    }

    private static Object[] printable(Object... arguments) {
        return Arrays.stream(arguments)
                .map(argument -> argument == null || argument instanceof Throwable ? argument : new Escaped(argument))
                .toArray();
    }
}
