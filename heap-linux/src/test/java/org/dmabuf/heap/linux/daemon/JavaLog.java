// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.text.MessageFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Log of classes of this bundle, received through {@link System.Logger}. */
public final class JavaLog extends Handler {
    private final List<String> lines = new CopyOnWriteArrayList<>();

    private JavaLog() {}

    public interface Action {
        void run() throws Exception;
    }

    /** {@return the lines that a class logs while an action runs} */
    public static List<String> of(Class<?> logging, Action action) {
        Logger logger = Logger.getLogger(logging.getName());
        JavaLog log = new JavaLog();
        logger.addHandler(log);
        logger.setUseParentHandlers(false);
        try {
            action.run();
            return log.lines;
        } catch (Exception e) {
            throw new AssertionError(e);
        } finally {
            logger.removeHandler(log);
            logger.setUseParentHandlers(true);
        }
    }

    @Override
    public void publish(LogRecord line) {
        if (line.getLevel().intValue() >= Level.INFO.intValue()) {
            lines.add(
                    line.getParameters() == null
                            ? line.getMessage()
                            : MessageFormat.format(line.getMessage(), line.getParameters()));
        }
    }

    @Override
    public void flush() {
        // Nothing is buffered.
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
