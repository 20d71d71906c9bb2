// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.release;

import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The reaper of one heap: a queue of {@link DeferredWork} with threads that do it. Unmapping and releasing call the
 * heap's code, which may block. Neither the framework's threads nor the cleaner of the whole JVM must wait for that.
 *
 * <p>A daemon thread does the work. It starts with the first piece and ends after {@link #IDLE_MILLIS} without any, so
 * an idle heap costs no thread. A piece that takes longer than the patience hangs. Another thread then does the work
 * behind it, up to {@link #MOST_THREADS} threads. The next caller that submits, maps, waits or lists starts that
 * thread. Clients of the heap help when much work waits. No other heap is affected by any of this.
 *
 * <p>The lock guards the queue. No heap's code and no logger is called under it.
 */
public final class Reaper {
    private static final Logger LOG = LoggerFactory.getLogger(Reaper.class);
    /** Loads the class early: the broker's jar may be gone when an arena that outlived it submits the first work. */
    private static final Class<?> LOADED = Worker.class;

    /** Nanoseconds that a caller waits for work at most. */
    public static final long PATIENCE = TimeUnit.SECONDS.toNanos(2);
    /**
     * How long a piece of work may take. It is less than a caller waits, so that the caller reports a piece that hangs.
     */
    private static final Duration WORK = Duration.ofMillis(1500);

    /** Pieces that may wait before mappers help; a fraction of the 65530 mappings that Linux gives a process. */
    private static final int BACKLOG = 256;
    /** Bytes that may wait before mappers help. */
    private static final long BACKLOG_BYTES = 64L << 20;

    private static final int MOST_HELP = 2;
    private static final int MOST_THREADS = 4;
    private static final long IDLE_MILLIS = 2000;
    /** How often a caller that waits looks whether the work still goes on. */
    private static final long LOOK_MILLIS = 50;

    private final String heap;
    private final long patience;
    private final int most;

    // All of these are guarded by this; what is volatile is also read without the lock.

    private DeferredWork first;
    private DeferredWork last;
    private long submitted;
    private long begun;
    private volatile long done;
    private volatile int waiting;
    private volatile long waitingBytes;
    /** Pieces under way, in no order. */
    private Run runs;
    /** The thread that takes the next piece; null when none does. Other threads end with their piece. */
    private Worker worker;

    private int threads;
    private int waiters;
    private boolean stopped;
    /** Whether the system refused a thread. */
    private boolean threadless;
    /** Whether the refusal was logged. */
    private boolean threadlessReported;

    /**
     * A queue without work and without a thread.
     *
     * @param heap name, for the log
     */
    public Reaper(String heap) {
        this(heap, WORK, MOST_THREADS);
    }

    /**
     * Creates a queue for tests that have less patience, or do the work themselves.
     *
     * @param heap name, for the log
     * @param patience how long one piece of work may take until it is taken to hang
     * @param most threads at one time; with 0 the work is done by {@link #drain} alone
     */
    public Reaper(String heap, Duration patience, int most) {
        this.heap = heap;
        this.patience = patience.toNanos();
        this.most = most;
    }

    /**
     * Submits work. Allocates nothing and waits for nothing. It can throw only a StackOverflowError, and then nothing
     * was submitted.
     *
     * @param work work that is in no queue
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
            // The work is in the queue. The next caller starts a thread.
        }
    }

    /** Starts a thread for the work that waits if one is needed, and reports work that hangs. */
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
     * Does some of the work on the calling thread, a client's of this heap, when much of it waits.
     *
     * @return false when much of it waits and every thread for it hangs: the caller would hang as well
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

    /** Does all the work that waits on the calling thread: for tests without a thread. */
    public void drain() {
        Run run = new Run();
        while (performNext(run)) {
            // There may be more.
        }
    }

    /** {@return the number of finished pieces that may have brought memory back} */
    public long done() {
        return done;
    }

    /**
     * Waits until all work that was submitted before the call is done, on any thread. Does none of it itself. It waits
     * neither for work that hangs nor for a piece that the calling thread performs.
     *
     * @param deadline when it stops waiting, a time of {@link System#nanoTime}
     */
    public void settle(long deadline) {
        settle(deadline, false);
    }

    /**
     * As {@link #settle(long)}, and an interrupt ends the wait. The thread stays interrupted.
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

    /** Settles each of them, for {@link #PATIENCE} in all at most. */
    public static void settle(Collection<Reaper> reapers) {
        long deadline = System.nanoTime() + PATIENCE;
        reapers.forEach(reaper -> reaper.settle(deadline));
    }

    /** Has threads end as soon as no work is left. Work that is submitted later is done by a thread as before. */
    public synchronized void stop() {
        stopped = true;
        relieve();
        notifyAll();
    }

    /**
     * Waits, after {@link #stop}, until all work is done and no thread is left, except for work that hangs.
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
                    "stopped with {} ends of mappings and buffers of heap '{}' still to come, because its code hangs",
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

    /** {@return a description of the work that hangs in the heap's code, for a person; empty when none does} */
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
                : oldest.what() + " hangs in its code for " + TimeUnit.NANOSECONDS.toSeconds(now - since) + " s"
                        + (hang > 1 ? ", and so do " + (hang - 1) + " more" : "")
                        + (behind > 0 ? "; " + behind + " wait behind" : "");
    }

    /** Waits under the lock. {@return whether there is something to report} */
    private boolean await(long deadline, boolean all, long upTo, boolean interruptible) {
        boolean interrupted = false;
        boolean reportable = relieve(); // a thread that could not be had before may be had now
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

    /** {@return whether no thread will take the next piece before one that hangs comes back} */
    private boolean stuck() {
        return (threads >= most || threadless) && (worker == null || worker.hangs(System.nanoTime()));
    }

    /**
     * Starts a thread for the work that waits if one is needed. Called under the lock.
     *
     * @return whether there is something to report
     */
    private boolean relieve() {
        if (worker != null && !worker.thread.isAlive()) { // it found no memory to begin with, or to go on
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
            } catch (OutOfMemoryError e) { // of threads or of memory; the next caller tries again
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
                        "no thread can be had to unmap and release for heap '{}'; it is tried again; raise the limit"
                                + " on threads (TasksMax= in a unit, ulimit -u)",
                        heap);
            }
            if (hangs != null) {
                LOG.warn(
                        "{} hangs for {} ms in its heap's code; no caller waits for it any more, and its memory may be"
                                + " lost; report that to its vendor",
                        hangs.what(),
                        TimeUnit.NANOSECONDS.toMillis(patience));
            }
        } catch (Throwable e) {
            // A log that fails ends no work.
        }
    }

    /** Performs the next piece. {@return whether there was one} */
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
            again = !(run instanceof Worker); // the reaper's own thread has more of it
            if (!again) {
                logFailure(work, e);
            }
        } catch (Throwable e) { // the work behind it belongs to other buffers
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
            // A log that fails ends no work.
        }
    }

    /** Takes the first piece of the queue. Called under the lock. */
    private void begin(Run run) {
        DeferredWork work = first;
        DeferredWork behind = work.next();
        long bytes = work.bytes();
        long now = System.nanoTime();
        work.next(null);
        // From here on there is no call that could fail for want of stack.
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
        /** Its number in the order in which pieces were begun. */
        long number;

        long since;
        boolean reported;
        private Run previous;
        private Run next;

        boolean hangs(long now) {
            return work != null && now - since > patience;
        }
    }

    /** The loop of a thread of the reaper. */
    private final class Worker extends Run implements Runnable {
        boolean idle;

        /** Creates a worker whose thread inherits nothing: any bundle may be the first to submit work. */
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

        /** {@return whether it has another piece; otherwise the thread ends} */
        private boolean awaitWork() {
            synchronized (Reaper.this) {
                long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(IDLE_MILLIS);
                while (worker == this || worker == null || worker.hangs(System.nanoTime())) {
                    worker = this; // in the place of one that hangs, too
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
                        // A heap's code interrupted the thread, which means nothing here.
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
