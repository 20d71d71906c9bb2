// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.lang.System.Logger.Level;
import java.text.MessageFormat;
import java.util.ResourceBundle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adapter that sends {@link System.Logger} output to the gateway's log. {@code heap-linux} uses that logger, since it
 * needs only Java. Without the adapter its lines would have another format and other levels.
 *
 * <p>Java finds the class by its name in {@code META-INF/services} of the launcher.
 */
public final class JavaLog extends System.LoggerFinder {
    /** Called by Java once. */
    public JavaLog() {}

    @Override
    public System.Logger getLogger(String name, Module module) {
        return new Log(LoggerFactory.getLogger(Printable.of(name)));
    }

    /** Logger that writes to an SLF4J logger. */
    record Log(Logger log) implements System.Logger {
        @Override
        public String getName() {
            return log.getName();
        }

        @Override
        public boolean isLoggable(Level level) {
            return level == Level.ALL || level != Level.OFF && log.isEnabledForLevel(toSlf4j(level));
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
            if (level != Level.OFF && isLoggable(level)) {
                LogLine.write(log, toSlf4j(level), inWords(bundle, message), thrown);
            }
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String format, Object... arguments) {
            if (level != Level.OFF && isLoggable(level)) {
                LogLine.write(log, toSlf4j(level), filled(inWords(bundle, format), arguments), null);
            }
        }

        /** Returns an invalid format unchanged: a call to the log must not throw. */
        private static String filled(String format, Object... arguments) {
            if (format == null || arguments == null || arguments.length == 0) {
                return format;
            }
            try {
                return MessageFormat.format(format, arguments);
            } catch (IllegalArgumentException e) {
                return format;
            }
        }

        private static String inWords(ResourceBundle bundle, String key) {
            return bundle != null && key != null && bundle.containsKey(key) ? bundle.getString(key) : key;
        }

        private static org.slf4j.event.Level toSlf4j(Level level) {
            return switch (level) {
                case ERROR -> org.slf4j.event.Level.ERROR;
                case WARNING -> org.slf4j.event.Level.WARN;
                case INFO -> org.slf4j.event.Level.INFO;
                case DEBUG -> org.slf4j.event.Level.DEBUG;
                case TRACE, ALL, OFF -> org.slf4j.event.Level.TRACE;
            };
        }
    }
}
