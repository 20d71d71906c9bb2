// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.daemon;

import java.lang.System.Logger.Level;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Work of a daemon thread, step by step until a step returns that it was the last. A step that throws anything is
 * logged, and after a pause comes another. A series of failures is logged once.
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
     * Makes a thread that inherits nothing: the caller may be on a vendor's class loader.
     *
     * @param name of the thread
     * @param failure for the log: what a failed step was to do
     * @param pauseNanos between a step that failed and the next; an unpark of the thread ends it
     * @param step returns whether another step is to come
     * @return a thread that is not started
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
            } catch (Throwable e) { // no other thread does this work
                if (!failing) {
                    failing = true;
                    LOG.failure(Level.ERROR, failure + "; the thread goes on", e);
                }
                LockSupport.parkNanos(this, pauseNanos);
            }
        }
    }
}
