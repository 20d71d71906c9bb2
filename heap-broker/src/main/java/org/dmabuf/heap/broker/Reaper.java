// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker;

import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does what an arena's end must not do on the thread that ends it: unmapping and releasing call a heap's code, which
 * may block, and an automatic arena ends on the one thread that cleans for the whole JVM.
 *
 * <p>Work that piles up is shared: who is about to map helps first, so a client that maps and unmaps faster than this
 * thread can follow does not run the process out of mappings. After {@link #stop()} work is done where it arises. Work
 * that throws is logged and ends nothing; work that hangs holds nobody who waits for longer than a patience. What is
 * behind it is done by another thread, which the next who maps, unmaps or waits sees to: no thread is kept to look.
 */
final class Reaper {
    private static final Logger LOG = LoggerFactory.getLogger(Reaper.class);

    /** More than this and mappers help; a fraction of the 65530 mappings that Linux gives a process. */
    private static final int BACKLOG = 256;
    /** Twice this is within the 5 s that Declarative Services waits for a component. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    /** How many threads may hang at one time; then a broken heap has taken enough of them. */
    private static final int MOST_HANGING = 8;
    /** How often who waits looks whether the work still goes on. */
    private static final long LOOK_MILLIS = 50;

    private final Queue<Runnable> queue = new ConcurrentLinkedQueue<>();
    private final AtomicLong submitted = new AtomicLong();
    private final AtomicLong done = new AtomicLong();
    private final long patience;

    private volatile Worker worker = new Worker();
    /** Workers that were replaced and have not come back. */
    private final AtomicInteger hanging = new AtomicInteger();
    private volatile boolean stopped;

    Reaper() {
        this(PATIENCE);
    }

    /**
     * For tests that have less patience.
     *
     * @param patience how long one piece of work may take until it is taken to hang
     */
    Reaper(Duration patience) {
        this.patience = patience.toNanos();
    }

    void start() {
        worker.thread.start();
    }

    /**
     * Hands work over. Never throws and never blocks, until the reaper is stopped.
     *
     * @param work tells by toString() what it is, should it throw or hang
     */
    void submit(Runnable work) {
        submitted.incrementAndGet();
        enqueue(work);
    }

    private void enqueue(Runnable work) {
        queue.add(work);
        if (stopped) {
            if (queue.remove(work)) { // and no other: that may hang, and is not the caller's
                perform(work);
            }
            return;
        }
        Worker does = worker;
        if (does.parked) {
            LockSupport.unpark(does.thread);
        } else {
            relieve(does);
        }
    }

    /**
     * Has work done and waits until it is, but no longer than the patience when it, or what is before it, hangs.
     *
     * @param work tells by toString() what it is, should it throw or hang
     */
    void await(Runnable work) {
        Worker first = worker;
        if (!first.thread.isAlive() || first.thread == Thread.currentThread()) {
            submitted.incrementAndGet();
            perform(work);
            return;
        }
        CountDownLatch done = new CountDownLatch(1);
        submit(new Runnable() {
            @Override
            public void run() {
                try {
                    work.run();
                } finally {
                    done.countDown();
                }
            }

            @Override
            public String toString() {
                return work.toString();
            }
        });
        await(done, Long.MAX_VALUE);
    }

    /** Waits for a moment in the queue, no longer than so many nanoseconds, nor than the patience with what hangs. */
    private void await(CountDownLatch moment, long longest) {
        long begun = System.nanoTime();
        boolean interrupted = false;
        boolean over = false;
        while (!over) {
            Worker does = worker;
            relieve(does);
            // While anything hangs, a look is all the patience: who stops a bundle may have much to give back to it.
            boolean last = hanging.get() > 0 || does.hangs() || System.nanoTime() - begun > longest;
            try {
                over = moment.await(LOOK_MILLIS, TimeUnit.MILLISECONDS) || last;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Does some of the work on the calling thread when there is much of it. */
    void help() {
        relieve(worker);
        for (int i = 0; i < 2 && undone() > BACKLOG; i++) {
            Runnable work = queue.poll();
            if (work != null) {
                perform(work);
            }
        }
    }

    /** Does all the work that is there on the calling thread: where no reaper does. */
    void drain() {
        for (Runnable work = queue.poll(); work != null; work = queue.poll()) {
            perform(work);
        }
    }

    /** {@return how many pieces of work were ever done} */
    long done() {
        return done.get();
    }

    /**
     * Waits until what was handed over before the call is done, for no longer than the patience in all. None of it is
     * done on the calling thread: that may be about to ask another heap, and the work may hang.
     *
     * @return how many pieces of work were ever done
     */
    long settle() {
        Thread does = worker.thread;
        if (undone() > hanging.get() && does.isAlive() && does != Thread.currentThread()) {
            Mark mark = new Mark();
            enqueue(mark);
            await(mark.reached, patience);
        }
        return done.get();
    }

    /**
     * Ends the thread when all that is left is done. Who hangs is left behind, as a daemon, and another thread does the
     * rest; after twice the patience all are left to themselves.
     */
    void stop() {
        Worker last;
        synchronized (this) { // from here on nobody else replaces it
            stopped = true;
            last = worker;
        }
        LockSupport.unpark(last.thread);
        if (last.thread == Thread.currentThread()) {
            return; // it goes on until nothing is left
        }
        if (last.thread.getState() == Thread.State.NEW) {
            drain();
            return;
        }
        long deadline = System.nanoTime() + 2 * patience;
        while (!last.ended(deadline) && !queue.isEmpty() && System.nanoTime() - deadline < 0) {
            if (!replace(last)) {
                break;
            }
            last = worker;
        }
        if (last.thread.isAlive() && !queue.isEmpty()) {
            LOG.warn("stopped with {} ends of mappings and buffers still to come", queue.size());
        }
    }

    /** Has another worker do what is behind work that hangs. */
    private void relieve(Worker does) {
        if (!stopped && !queue.isEmpty() && does.hangs() && hanging.get() < MOST_HANGING) {
            synchronized (this) {
                if (!stopped) {
                    replace(does);
                }
            }
        }
    }

    /** {@return whether somebody does the work in this worker's place} */
    private synchronized boolean replace(Worker does) {
        if (worker != does) {
            return true;
        }
        Worker next = new Worker();
        worker = next;
        try {
            next.thread.start();
        } catch (OutOfMemoryError e) { // of threads; it is tried again
            worker = does;
            LOG.error("no thread to unmap and release in the place of one that hangs", e);
            return false;
        }
        hanging.incrementAndGet();
        LockSupport.unpark(does.thread); // should it have come back meanwhile, and sleep
        return true;
    }

    /** {@return how many pieces of work wait or are under way} */
    private long undone() {
        return submitted.get() - done.get();
    }

    private void perform(Runnable work) {
        try {
            work.run();
        } catch (Throwable e) { // what waits behind it is others'
            LOG.error("{} failed", work, e);
        } finally {
            if (!(work instanceof Mark)) {
                done.incrementAndGet();
            }
        }
    }

    /** A place in the queue, and no work that would count as done. */
    private static final class Mark implements Runnable {
        final CountDownLatch reached = new CountDownLatch(1);

        @Override
        public void run() {
            reached.countDown();
        }
    }

    /** A thread with what it is at. */
    private final class Worker {
        /** Inherits nothing: whoever activates the broker may do so on a vendor's class loader. */
        final Thread thread = Thread.ofPlatform()
                .name("dmaheap-reaper")
                .daemon()
                .inheritInheritableThreadLocals(false)
                .unstarted(this::run);

        volatile boolean parked;
        private volatile Runnable current;
        private volatile long since;
        private volatile Runnable reported;

        /** Until there is nothing to do any more, or it was taken to hang and another does the rest. */
        private void run() {
            while (worker == this) {
                Runnable work = queue.poll();
                if (work != null) {
                    since = System.nanoTime();
                    current = work;
                    perform(work);
                    current = null;
                } else if (!stopped) {
                    parked = true;
                    if (queue.isEmpty() && !stopped && worker == this) {
                        LockSupport.park(this);
                    }
                    parked = false;
                } else if (queue.isEmpty()) {
                    return;
                }
            }
            hanging.decrementAndGet();
        }

        /** Whether it is at the same piece of work for longer than the patience; the first who asks then says so. */
        boolean hangs() {
            Runnable work = current;
            if (work == null || System.nanoTime() - since <= patience || work != current) {
                return false;
            }
            if (reported != work) {
                reported = work;
                LOG.warn(
                        "{} hangs for {} ms in its heap's code; nobody waits for it any more, and its memory may be"
                                + " lost; report that to its vendor",
                        work,
                        TimeUnit.NANOSECONDS.toMillis(patience));
            }
            return true;
        }

        /** Waits until its thread has ended, or hangs, or the deadline has come. */
        boolean ended(long deadline) {
            boolean interrupted = false;
            while (thread.isAlive() && !hangs() && System.nanoTime() - deadline < 0) {
                try {
                    thread.join(LOOK_MILLIS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return !thread.isAlive();
        }
    }
}
