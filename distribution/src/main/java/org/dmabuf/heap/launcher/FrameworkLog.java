// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import org.apache.felix.framework.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Logger of the framework that writes to the gateway's log. By default the framework logs to standard output, among the
 * results.
 */
final class FrameworkLog extends Logger {
    private static final org.slf4j.Logger LOG = LoggerFactory.getLogger("org.apache.felix.framework");

    @Override
    protected void doLog(int level, String message, Throwable thrown) {
        LogLine.write(LOG, toSlf4j(level), message, thrown);
    }

    private static Level toSlf4j(int level) {
        return switch (level) {
            case LOG_ERROR -> Level.ERROR;
            case LOG_WARNING -> Level.WARN;
            case LOG_INFO -> Level.INFO;
            default -> Level.DEBUG;
        };
    }
}
