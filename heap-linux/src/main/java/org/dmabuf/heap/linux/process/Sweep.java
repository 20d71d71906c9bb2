// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.dmabuf.heap.linux.kernel.ProcFile;

/**
 * Reading of many processes within a time limit. A process whose driver holds one of its locks blocks the reader of its
 * {@code /proc} files without limit. So another thread reads, and is left behind if it does not return in time.
 *
 * @param <T> result for a process
 */
final class Sweep<T> {
    /** Read of one process. */
    @FunctionalInterface
    interface Read<T> {
        /** Reads; empty if there is no result. The thread is interrupted when the time is over. */
        Optional<T> of(int pid) throws IOException;
    }

    /** Limit for the threads that are left behind at a time. */
    private static final int MOST_STUCK = 8;

    private static final long POLL_MILLIS = 20;
    private static final Path PROC = Path.of("/proc");

    /** Processes at which a thread was left behind and still waits. */
    private static final Set<Integer> STUCK = ConcurrentHashMap.newKeySet();

    private final Read<T> read;
    private final Queue<Integer> left = new ConcurrentLinkedQueue<>();

    // Guarded by this; a thread that is left behind adds nothing.

    private final List<T> results = new ArrayList<>();
    private int denied;
    private int silent;
    private Throwable failure;

    private Sweep(Collection<Integer> pids, Read<T> read) {
        this.read = read;
        left.addAll(pids);
    }

    /**
     * Reads processes.
     *
     * @param each the limit for one process
     * @param all the limit for all
     * @return the finished sweep
     * @throws InterruptedException when this thread is interrupted
     * @throws org.dmabuf.heap.HeapException when this process has no free descriptor
     */
    static <T> Sweep<T> over(Collection<Integer> pids, Duration each, Duration all, Read<T> read)
            throws InterruptedException {
        Sweep<T> sweep = new Sweep<>(pids, read);
        sweep.run(each.toNanos(), System.nanoTime() + all.toNanos());
        return sweep;
    }

    /** {@return the results} */
    synchronized List<T> results() {
        return List.copyOf(results);
    }

    /** {@return processes that this process may not read} */
    synchronized int denied() {
        return denied;
    }

    /** {@return processes that could not be read in time} */
    synchronized int silent() {
        return silent;
    }

    /** {@return processes that were not read, because the time for all was over} */
    int unread() {
        return left.size();
    }

    private void run(long each, long end) throws InterruptedException {
        boolean done = false;
        while (!done && STUCK.size() < MOST_STUCK) {
            Worker worker = new Worker();
            try {
                worker.thread.start();
                done = worker.await(each, end);
            } finally {
                worker.leave();
            }
            done |= System.nanoTime() - end >= 0;
        }
        synchronized (this) {
            if (failure instanceof Error error) {
                throw error;
            }
            if (failure instanceof RuntimeException exception) {
                throw exception;
            }
        }
    }

    private final class Worker implements Runnable {
        final Thread thread = Thread.ofPlatform()
                .name("dmaheap-holders")
                .daemon()
                .inheritInheritableThreadLocals(false)
                .unstarted(this);
        private final CountDownLatch ended = new CountDownLatch(1);

        // Guarded by the sweep.

        private Integer pid;
        private long since;
        private boolean abandoned;

        /** {@return whether it has read all that was left; false if it must be left behind} */
        boolean await(long each, long end) throws InterruptedException {
            while (!ended.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                long now = System.nanoTime();
                synchronized (Sweep.this) {
                    if (pid != null && now - since > each || now - end >= 0) {
                        return false;
                    }
                }
            }
            return true;
        }

        /** Ends its work after the present process. */
        void leave() {
            synchronized (Sweep.this) {
                abandoned = true;
                if (pid != null) {
                    silent++;
                    STUCK.add(pid);
                }
            }
            thread.interrupt();
        }

        @Override
        public void run() {
            try {
                while (begin()) {
                    end(pid);
                }
            } catch (Throwable e) {
                fail(e);
            } finally {
                synchronized (Sweep.this) {
                    if (abandoned && pid != null) {
                        STUCK.remove(pid);
                    }
                    pid = null;
                }
                ended.countDown();
            }
        }

        private boolean begin() {
            synchronized (Sweep.this) {
                pid = abandoned ? null : left.poll();
                while (pid != null && STUCK.contains(pid)) {
                    silent++;
                    pid = left.poll();
                }
                since = System.nanoTime();
                return pid != null;
            }
        }

        private void end(int process) {
            Optional<T> result = Optional.empty();
            boolean refused = false;
            try {
                result = read.of(process);
            } catch (AccessDeniedException e) {
                refused = true;
            } catch (IOException e) {
                ProcFile.requireDescriptors(PROC); // otherwise the process has ended
            }
            synchronized (Sweep.this) {
                if (!abandoned) {
                    result.ifPresent(results::add);
                    denied += refused ? 1 : 0;
                    pid = null;
                }
            }
        }

        private void fail(Throwable e) {
            synchronized (Sweep.this) {
                if (!abandoned) {
                    failure = e;
                    left.clear();
                }
            }
        }
    }
}
