// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import java.util.concurrent.locks.LockSupport;

/**
 * Work each of whose steps is done once, however often it is attempted. An attempt that fails for want of memory is
 * made again, for some seconds: no other thread would finish the work.
 */
public interface RepeatableWork extends DeferredWork {
    /** How often it is attempted, with a pause of {@link #PAUSE_NANOS} each. */
    int MOST_ATTEMPTS = 50;

    /** The pause between two attempts. */
    long PAUSE_NANOS = 100_000_000;

    /** Does what is left to do. */
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
