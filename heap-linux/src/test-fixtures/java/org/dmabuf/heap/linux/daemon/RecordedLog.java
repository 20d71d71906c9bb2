// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Logger;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.AbstractLogger;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.MessageFormatter;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/** Log that records its lines, so that a test can check them. */
public final class RecordedLog implements SLF4JServiceProvider {
    private static final List<Line> LINES = new CopyOnWriteArrayList<>();
    private static final Map<String, Runnable> LISTENERS = new ConcurrentHashMap<>();
    private static volatile boolean failing;

    private final IMarkerFactory markers = new BasicMarkerFactory();
    private final MDCAdapter context = new NOPMDCAdapter();

    /** Part of a test during which a class logs. */
    public interface Action {
        void run() throws Exception;
    }

    private record Line(String logger, Level level, String text, Throwable thrown) {
        @Override
        public String toString() {
            return level + " " + text + (thrown == null ? "" : " <" + thrown + ">");
        }
    }

    /** {@return the messages that a class logs while an action runs} */
    public static List<String> of(Class<?> logging, Action action) {
        int before = LINES.size();
        try {
            action.run();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
        return LINES.subList(before, LINES.size()).stream()
                .filter(line -> line.logger().equals(logging.getName()))
                .map(Line::text)
                .toList();
    }

    /** Runs an action, which may throw, at each message of a class; null ends that. */
    static void listen(Class<?> logging, Runnable action) {
        LISTENERS.compute(logging.getName(), (_, _) -> action);
    }

    /** Clears the recorded lines. */
    public static void clear() {
        LINES.clear();
    }

    /** Sets whether every call of the log throws from now on. */
    public static void fail(boolean now) {
        failing = now;
    }

    /** {@return lines such as {@code WARN heap 'a' has left}, each followed by its throwable} */
    public static List<String> lines() {
        return LINES.stream().map(Line::toString).toList();
    }

    private static final class Recorder extends AbstractLogger {
        private static final long serialVersionUID = 1L;

        Recorder(String name) {
            this.name = name;
        }

        @Override
        protected String getFullyQualifiedCallerName() {
            return null;
        }

        @Override
        protected void handleNormalizedLoggingCall(
                Level level, Marker marker, String pattern, Object[] arguments, Throwable thrown) {
            if (failing) {
                throw new IllegalStateException("made up: the log fails");
            }
            String text = MessageFormatter.basicArrayFormat(pattern, arguments);
            LINES.add(new Line(name, level, text, thrown));
            LISTENERS.getOrDefault(name, () -> {}).run();
        }

        @Override
        public boolean isTraceEnabled() {
            return false;
        }

        @Override
        public boolean isTraceEnabled(Marker marker) {
            return false;
        }

        @Override
        public boolean isDebugEnabled() {
            return false;
        }

        @Override
        public boolean isDebugEnabled(Marker marker) {
            return false;
        }

        @Override
        public boolean isInfoEnabled() {
            return true;
        }

        @Override
        public boolean isInfoEnabled(Marker marker) {
            return true;
        }

        @Override
        public boolean isWarnEnabled() {
            return true;
        }

        @Override
        public boolean isWarnEnabled(Marker marker) {
            return true;
        }

        @Override
        public boolean isErrorEnabled() {
            return true;
        }

        @Override
        public boolean isErrorEnabled(Marker marker) {
            return true;
        }
    }

    @Override
    public void initialize() {
        // There is nothing to set up.
    }

    @Override
    public ILoggerFactory getLoggerFactory() {
        return new ILoggerFactory() {
            @Override
            public Logger getLogger(String name) {
                return new Recorder(name);
            }
        };
    }

    @Override
    public IMarkerFactory getMarkerFactory() {
        return markers;
    }

    @Override
    public MDCAdapter getMDCAdapter() {
        return context;
    }

    @Override
    public String getRequestedApiVersion() {
        return "2.0.99";
    }
}
