// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.util.concurrent.atomic.AtomicInteger;

/** Log of one class that counts messages, and throws if a test wants that. */
public final class FailingLog implements AutoCloseable {
    private final Class<?> source;
    private final AtomicInteger records = new AtomicInteger();

    public FailingLog(Class<?> source, boolean fails) {
        this.source = source;
        RecordedLog.listen(source, () -> {
            records.incrementAndGet();
            if (fails) {
                throw new AssertionError("the log fails, as set by the test");
            }
        });
    }

    public int records() {
        return records.get();
    }

    @Override
    public void close() {
        RecordedLog.listen(source, null);
    }
}
