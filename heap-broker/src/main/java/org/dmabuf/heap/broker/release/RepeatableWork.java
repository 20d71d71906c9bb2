// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import java.util.concurrent.locks.LockSupport;

/**
 * Deferred work that can be attempted repeatedly, while each of its steps is done once. If an attempt fails for lack of
 * memory, it is repeated for some seconds, because no other thread would finish the work.
 */
public interface RepeatableWork extends DeferredWork {
    /** The most attempts, with a pause of {@link #PAUSE_NANOS} between them. */
    int MOST_ATTEMPTS = 50;

    /** The pause between two attempts, in nanoseconds. */
    long PAUSE_NANOS = 100_000_000;

    /** Does the remaining steps. */
    void attempt();

    @Override
    default void perform() {
        for (int attempts = 1; ; attempts++) {
            try {
                attempt();
                return;
            } catch (OutOfMemoryError e) {
                if (attempts == MOST_ATTEMPTS) {
                    throw e;
                }
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }
}
