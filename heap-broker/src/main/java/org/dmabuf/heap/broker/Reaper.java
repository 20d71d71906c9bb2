// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Does what an arena's end must not do on the thread that ends it: unmapping and releasing call a heap's code, which may
 * block, and an automatic arena ends on the one thread that cleans for the whole JVM.
 *
 * <p>Work that piles up is shared: who is about to map helps first, so a client that maps and unmaps faster than this
 * thread can follow does not run the process out of mappings. After {@link #stop()} work is done where it arises.
 */
final class Reaper {
    /** More than this and mappers help; a fraction of the 65530 mappings that Linux gives a process. */
    private static final int BACKLOG = 256;

    private final Queue<Runnable> queue = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();
    /** Inherits nothing: whoever activates the broker may do so on a vendor's class loader. */
    private final Thread thread = Thread.ofPlatform()
            .name("dmaheap-reaper")
            .daemon()
            .inheritInheritableThreadLocals(false)
            .unstarted(this::run);

    private volatile boolean parked;
    private volatile boolean stopped;

    void start() {
        thread.start();
    }

    /**
     * Hands work over. Never throws and never blocks, until the reaper is stopped.
     *
     * @param work must not throw
     */
    void submit(Runnable work) {
        waiting.incrementAndGet();
        queue.add(work);
        if (stopped) {
            drain();
        } else if (parked) {
            LockSupport.unpark(thread);
        }
    }

    /** Does some of the work on the calling thread when there is much of it. */
    void help() {
        for (int i = 0; i < 2 && waiting.get() > BACKLOG; i++) {
            next();
        }
    }

    /** Does all the work that is there on the calling thread, along with the reaper. */
    void drain() {
        while (next()) {
            // the next
        }
    }

    /** Ends the thread, and does what it has left to do. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive() && thread != Thread.currentThread()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        drain();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        while (!stopped) {
            drain();
            parked = true;
            if (queue.isEmpty() && !stopped) {
                LockSupport.park(this);
            }
            parked = false;
        }
    }

    private boolean next() {
        Runnable work = queue.poll();
        if (work == null) {
            return false;
        }
        waiting.decrementAndGet();
        work.run();
        return true;
    }
}
