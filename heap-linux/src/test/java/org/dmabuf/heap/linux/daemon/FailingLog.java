// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Log of one class that counts messages instead of printing them, and throws if a test wants that. */
public final class FailingLog extends Handler implements AutoCloseable {
    private final Logger logger;
    private final boolean fails;
    private final AtomicInteger records = new AtomicInteger();

    public FailingLog(Class<?> source, boolean fails) {
        this.logger = Logger.getLogger(source.getName());
        this.fails = fails;
        logger.setUseParentHandlers(false);
        logger.addHandler(this);
    }

    public int records() {
        return records.get();
    }

    @Override
    public void publish(LogRecord entry) {
        records.incrementAndGet();
        if (fails) {
            throw new AssertionError("the log fails, as set by the test");
        }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
        logger.removeHandler(this);
        logger.setUseParentHandlers(true);
    }
}
