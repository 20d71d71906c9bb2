// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Loop of a daemon thread, which runs steps until a step returns false. A step that throws is logged, and the next one
 * runs after a pause. A series of failures is logged once.
 */
public final class DaemonLoop implements Runnable {
    private static final QuietLog LOG = new QuietLog(DaemonLoop.class);

    private final String failure;
    private final long pauseNanos;
    private final BooleanSupplier step;

    private DaemonLoop(String failure, long pauseNanos, BooleanSupplier step) {
        this.failure = failure;
        this.pauseNanos = pauseNanos;
        this.step = step;
    }

    /**
     * Makes a thread that inherits nothing, because the caller may have the class loader of a vendor.
     *
     * @param name of the thread
     * @param failure log message for a failed step
     * @param pauseNanos pause after a failed step; an unpark of the thread ends it
     * @param step returns whether to run another step
     * @return a thread, not started yet
     */
    public static Thread thread(String name, String failure, long pauseNanos, BooleanSupplier step) {
        return Thread.ofPlatform()
                .name(name)
                .daemon()
                .inheritInheritableThreadLocals(false)
                .unstarted(new DaemonLoop(failure, pauseNanos, step));
    }

    @Override
    public void run() {
        boolean failing = false;
        boolean more = true;
        while (more) {
            try {
                more = step.getAsBoolean();
                failing = false;
            } catch (Throwable e) { // the thread must go on, because no other thread does this work
                if (!failing) {
                    failing = true;
                    LOG.error(failure + "; the thread goes on", e);
                }
                LockSupport.parkNanos(this, pauseNanos);
            }
        }
    }
}
