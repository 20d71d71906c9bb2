// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reaper of one heap: a queue of {@link DeferredWork} with the threads that perform it. Unmapping and releasing
 * call the heap's code, which may block. Neither the framework's threads nor the cleaner thread of the JVM may wait for
 * that.
 *
 * <p>A daemon thread does the work. It starts with the first piece of work and ends after {@link #IDLE_MILLIS} without
 * work, so an idle heap costs no thread. A piece that takes longer than the patience hangs. Then another thread does
 * the work behind it, up to {@link #MOST_THREADS} threads. The next caller that submits, maps, waits or lists starts
 * that thread. Clients of the heap help when much work waits. Other heaps are not affected.
 *
 * <p>The lock guards the queue. No heap's code and no logger is called under it.
 */
public final class Reaper {
    private static final Logger LOG = LoggerFactory.getLogger(Reaper.class);
    /**
     * Loads the class early, because an arena that outlives the broker may submit the first work after the broker's jar
     * is gone.
     */
    private static final Class<?> LOADED = Worker.class;

    /** The longest time that a caller waits for work, in nanoseconds. */
    public static final long PATIENCE = TimeUnit.SECONDS.toNanos(2);
    /**
     * The time after which a piece of work counts as hanging. It is shorter than the wait of a caller, so that the
     * caller reports the piece.
     */
    private static final Duration WORK = Duration.ofMillis(1500);

    /**
     * The number of waiting pieces above which mapping callers help. It is a fraction of the 65530 mappings that Linux
     * permits a process.
     */
    private static final int BACKLOG = 256;
    /** The waiting bytes above which mapping callers help. */
    private static final long BACKLOG_BYTES = 64L << 20;

    private static final int MOST_HELP = 2;
    private static final int MOST_THREADS = 4;
    private static final long IDLE_MILLIS = 2000;
    /** The period in which a waiting caller checks the progress of the work. */
    private static final long LOOK_MILLIS = 50;

    private final String heap;
    private final long patience;
    private final int most;

    // The following fields are guarded by this. Volatile fields are also read without the lock.

    private DeferredWork first;
    private DeferredWork last;
    private long submitted;
    private long begun;
    private volatile long done;
    private volatile int waiting;
    private volatile long waitingBytes;
    /** Pieces in progress, in no order. */
    private Run runs;
    /** The thread that takes the next piece; null if no thread does. Other threads end after their current piece. */
    private Worker worker;

    private int threads;
    private int waiters;
    private boolean stopped;
    /** Whether the system refused to start a thread. */
    private boolean threadless;
    /** Whether the refusal was logged. */
    private boolean threadlessReported;

    /**
     * Creates an empty queue without a thread.
     *
     * @param heap name, for the log
     */
    public Reaper(String heap) {
        this(heap, WORK, MOST_THREADS);
    }

    /**
     * Creates a queue for tests with a shorter patience, or for tests that do the work on their own thread.
     *
     * @param heap name, for the log
     * @param patience the time after which a piece of work counts as hanging
     * @param most the most threads at one time; with 0, only {@link #drain} does the work
     */
    public Reaper(String heap, Duration patience, int most) {
        this.heap = heap;
        this.patience = patience.toNanos();
        this.most = most;
    }

    /**
     * Submits work. Allocates no memory and does not wait. It can throw only a StackOverflowError; then the work was
     * not submitted.
     *
     * @param work the work, which is in no queue
     */
    public void submit(DeferredWork work) {
        long bytes = work.bytes();
        synchronized (this) {
            if (last == null) {
                first = work;
            } else {
                last.next(work);
            }
            last = work;
            waiting++;
            waitingBytes += bytes;
            submitted++;
        }
        try {
            attend();
        } catch (Throwable e) {
            // The work is queued. The next caller starts a thread.
        }
    }

    /** Starts a thread for waiting work if necessary, and reports work that hangs. */
    private void attend() {
        boolean reportable;
        synchronized (this) {
            reportable = relieve();
            if (worker != null && worker.idle) {
                notifyAll();
            }
        }
        if (reportable) {
            report();
        }
    }

    /**
     * Does some of the work on the calling thread, a thread of a client of this heap, if much work waits.
     *
     * @return false if much work waits and every thread hangs, because the caller would hang as well
     */
    public boolean help() {
        if (waiting == 0) {
            return true;
        }
        attend();
        for (int i = 0; i < MOST_HELP && (waiting > BACKLOG || waitingBytes > BACKLOG_BYTES); i++) {
            if (hangsEntirely()) {
                return false;
            }
            if (!performNext(new Run())) {
                break;
            }
        }
        return true;
    }

    private synchronized boolean hangsEntirely() {
        return worker != null && stuck();
    }

    /** Does all waiting work on the calling thread. For tests without a thread. */
    public void drain() {
        Run run = new Run();
        while (performNext(run)) {
            // continue until the queue is empty
        }
    }

    /** {@return the number of finished pieces that may have returned memory} */
    public long done() {
        return done;
    }

    /**
     * Waits until all work that was submitted before the call is done, on any thread. The calling thread does no work
     * itself. It waits neither for work that hangs nor for a piece that the calling thread itself is performing.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     */
    public void settle(long deadline) {
        settle(deadline, false);
    }

    /**
     * Waits as {@link #settle(long)} does, but an interrupt ends the wait. The thread stays interrupted.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     */
    public void settleUntilInterrupted(long deadline) {
        settle(deadline, true);
    }

    private void settle(long deadline, boolean interruptible) {
        boolean reportable;
        synchronized (this) {
            reportable = await(deadline, false, submitted, interruptible);
        }
        if (reportable) {
            report();
        }
    }

    /** Settles each reaper, for {@link #PATIENCE} in all at most. */
    public static void settle(Collection<Reaper> reapers) {
        long deadline = System.nanoTime() + PATIENCE;
        reapers.forEach(reaper -> reaper.settle(deadline));
    }

    /** Ends the threads as soon as no work is left. Work that is submitted later gets a thread as before. */
    public synchronized void stop() {
        stopped = true;
        relieve();
        notifyAll();
    }

    /**
     * Waits, after {@link #stop}, until all work is done and all threads have ended, except for work that hangs.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     */
    public void join(long deadline) {
        boolean reportable;
        int left;
        synchronized (this) {
            reportable = await(deadline, true, Long.MAX_VALUE, false);
            left = waiting;
        }
        if (reportable) {
            report();
        }
        if (left > 0) {
            LOG.warn(
                    "stopped before {} mappings and buffers of heap '{}' were released, because its code hangs",
                    left,
                    heap);
        }
    }

    /** {@return whether any work hangs in the heap's code} */
    public synchronized boolean hangs() {
        long now = System.nanoTime();
        for (Run run = runs; run != null; run = run.next) {
            if (run.hangs(now)) {
                return true;
            }
        }
        return false;
    }

    /** {@return a description of the work that hangs in the heap's code, for messages; empty if no work hangs} */
    public String hanging() {
        DeferredWork oldest = null;
        long since = 0;
        int hang = 0;
        int behind;
        attend();
        long now = System.nanoTime();
        synchronized (this) {
            for (Run run = runs; run != null; run = run.next) {
                if (run.hangs(now)) {
                    hang++;
                    if (oldest == null || run.since - since < 0) {
                        oldest = run.work;
                        since = run.since;
                    }
                }
            }
            behind = waiting;
        }
        return oldest == null
                ? ""
                : oldest.what() + " has hung in its code for " + TimeUnit.NANOSECONDS.toSeconds(now - since) + " s"
                        + (hang > 1 ? ", as have " + (hang - 1) + " more" : "")
                        + (behind > 0 ? "; " + behind + " wait behind it" : "");
    }

    /** Waits under the lock. {@return whether there is something to report} */
    private boolean await(long deadline, boolean all, long upTo, boolean interruptible) {
        boolean interrupted = false;
        boolean reportable = relieve(); // a thread that could not start before may start now
        while (!(all ? finished() : settled(upTo)) && !(interrupted && interruptible)) {
            reportable |= relieve();
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                break;
            }
            waiters++;
            try {
                wait(Math.min(left, LOOK_MILLIS));
            } catch (InterruptedException e) {
                interrupted = true;
            } finally {
                waiters--;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return reportable | relieve();
    }

    private boolean settled(long upTo) {
        Thread self = Thread.currentThread();
        long now = System.nanoTime();
        boolean own = false;
        for (Run run = runs; run != null; run = run.next) {
            own |= run.thread == self;
            if (run.number < upTo && run.thread != self && !run.hangs(now)) {
                return false;
            }
        }
        return own || begun >= upTo || stuck();
    }

    private boolean finished() {
        Thread self = Thread.currentThread();
        long now = System.nanoTime();
        int left = threads;
        boolean own = false;
        for (Run run = runs; run != null; run = run.next) {
            own |= run.thread == self;
            if (run instanceof Worker && (run.thread == self || run.hangs(now))) {
                left--;
            }
        }
        return left == 0 && (waiting == 0 || own || stuck());
    }

    /** {@return whether no thread will take the next piece before a hanging call returns} */
    private boolean stuck() {
        return (threads >= most || threadless) && (worker == null || worker.hangs(System.nanoTime()));
    }

    /**
     * Starts a thread for waiting work if one is needed. Called under the lock.
     *
     * @return whether there is something to report
     */
    private boolean relieve() {
        if (worker != null && !worker.thread.isAlive()) { // it ended for lack of memory
            if (worker.work != null) {
                finish(worker);
            }
            worker = null;
            threads--;
        }
        boolean hangs = worker != null && worker.hangs(System.nanoTime());
        boolean reportable = hangs && !worker.reported;
        if (first != null && threads < most && (worker == null || hangs)) {
            try {
                Worker next = new Worker();
                next.thread.start();
                worker = next;
                threads++;
                threadless = false;
                threadlessReported = false;
            } catch (OutOfMemoryError e) { // for lack of threads or of memory; the next caller tries again
                threadless = true;
                reportable |= !threadlessReported;
            }
        }
        return reportable;
    }

    private void report() {
        boolean refused;
        DeferredWork hangs = null;
        synchronized (this) {
            refused = threadless && !threadlessReported;
            threadlessReported = threadless;
            long now = System.nanoTime();
            for (Run run = runs; run != null && hangs == null; run = run.next) {
                if (!run.reported && run.hangs(now)) {
                    run.reported = true;
                    hangs = run.work;
                }
            }
        }
        try {
            if (refused) {
                LOG.error(
                        "failed to start a thread to unmap and release for heap '{}', will retry; raise the limit"
                                + " on threads (TasksMax= in a unit, ulimit -u)",
                        heap);
            }
            if (hangs != null) {
                LOG.warn(
                        "{} has hung for {} ms in its heap's code; callers no longer wait for it, and its memory may be"
                                + " lost; report that to its vendor",
                        hangs.what(),
                        TimeUnit.NANOSECONDS.toMillis(patience));
            }
        } catch (Throwable e) {
            // A failing logger must not stop the work.
        }
    }

    /** Performs the next piece. {@return false if the queue is empty} */
    private boolean performNext(Run run) {
        synchronized (this) {
            if (first == null) {
                return false;
            }
            begin(run);
        }
        perform(run);
        return true;
    }

    private void perform(Run run) {
        DeferredWork work = run.work;
        boolean again = false;
        try {
            work.perform();
        } catch (StackOverflowError e) {
            again = !(run instanceof Worker); // the reaper's own thread has more stack
            if (!again) {
                logFailure(work, e);
            }
        } catch (Throwable e) { // the next work concerns other buffers
            logFailure(work, e);
        } finally {
            finish(run);
        }
        if (again) {
            submit(work);
        }
    }

    private static void logFailure(DeferredWork work, Throwable failure) {
        try {
            LOG.error("{} failed", work.what(), failure);
        } catch (Throwable e) {
            // A failing logger must not stop the work.
        }
    }

    /** Takes the first piece of the queue. Called under the lock. */
    private void begin(Run run) {
        DeferredWork work = first;
        DeferredWork behind = work.next();
        long bytes = work.bytes();
        long now = System.nanoTime();
        work.next(null);
        // No method call follows, so no step below can fail for lack of stack.
        first = behind;
        if (behind == null) {
            last = null;
        }
        waiting--;
        waitingBytes -= bytes;
        run.work = work;
        run.bytes = bytes;
        run.number = begun++;
        run.since = now;
        run.reported = false;
        run.next = runs;
        if (runs != null) {
            runs.previous = run;
        }
        runs = run;
    }

    private synchronized void finish(Run run) {
        if (run.previous == null) {
            runs = run.next;
        } else {
            run.previous.next = run.next;
        }
        if (run.next != null) {
            run.next.previous = run.previous;
        }
        run.next = null;
        run.previous = null;
        run.work = null;
        if (run.bytes > 0) {
            done++;
        }
        if (waiters > 0) {
            notifyAll();
        }
    }

    /** The run of one piece of work. */
    private class Run {
        Thread thread = Thread.currentThread();
        DeferredWork work;
        private long bytes;
        /** The number of the piece, in the order in which pieces began. */
        long number;

        long since;
        boolean reported;
        private Run previous;
        private Run next;

        boolean hangs(long now) {
            return work != null && now - since > patience;
        }
    }

    /** The loop of one thread of the reaper. */
    private final class Worker extends Run implements Runnable {
        boolean idle;

        /** Creates a worker whose thread inherits no thread locals, because any bundle may submit the first work. */
        Worker() {
            thread = Thread.ofPlatform()
                    .name("dmaheap-reaper")
                    .daemon()
                    .inheritInheritableThreadLocals(false)
                    .unstarted(this);
        }

        @Override
        public void run() {
            while (awaitWork()) {
                perform(this);
            }
        }

        /** Waits for the next piece and begins it. {@return false if the thread must end} */
        private boolean awaitWork() {
            synchronized (Reaper.this) {
                long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(IDLE_MILLIS);
                while (worker == this || worker == null || worker.hangs(System.nanoTime())) {
                    worker = this; // also replaces a worker that hangs
                    if (first != null) {
                        begin(this);
                        return true;
                    }
                    long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
                    if (stopped || left <= 0) {
                        worker = null;
                        break;
                    }
                    idle = true;
                    try {
                        Reaper.this.wait(left);
                    } catch (InterruptedException e) {
                        // A heap's code interrupted the thread. That has no meaning here.
                    } finally {
                        idle = false;
                    }
                }
                threads--;
                if (waiters > 0) {
                    Reaper.this.notifyAll();
                }
                return false;
            }
        }
    }
}
