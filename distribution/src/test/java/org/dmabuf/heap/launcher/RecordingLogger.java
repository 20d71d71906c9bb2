// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.List;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.LegacyAbstractLogger;

/** SLF4J logger that writes to a list. */
final class RecordingLogger extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1L;
    private final transient List<String> lines;
    private final Level level;

    RecordingLogger(List<String> lines, Level level) {
        this.lines = lines;
        this.level = level;
    }

    private boolean enabled(Level other) {
        return other.toInt() >= level.toInt();
    }

    @Override
    public boolean isTraceEnabled() {
        return enabled(Level.TRACE);
    }

    @Override
    public boolean isDebugEnabled() {
        return enabled(Level.DEBUG);
    }

    @Override
    public boolean isInfoEnabled() {
        return enabled(Level.INFO);
    }

    @Override
    public boolean isWarnEnabled() {
        return enabled(Level.WARN);
    }

    @Override
    public boolean isErrorEnabled() {
        return enabled(Level.ERROR);
    }

    @Override
    protected String getFullyQualifiedCallerName() {
        return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
            Level at, Marker marker, String message, Object[] arguments, Throwable thrown) {
        lines.add(at + " " + message + (thrown == null ? "" : " and a stack trace"));
    }
}
