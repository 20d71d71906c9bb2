// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.headroom.HeldMemory;

/** Tracked file: shareable memory whose last holder is awaited. Guarded by its {@link HolderTable}. */
abstract sealed class TrackedFile {
    /** Watches of this process that wait, or will wait, for its last holder. */
    final List<HolderWatch> watches = new ArrayList<>(1);

    /** Keeps the memory counted in the headroom until the end; null if its owner or maker counts it. */
    private HeldMemory held;

    /** Counts the memory in full, only once for all watches. */
    void hold(int fd) {
        if (held == null) {
            held = HeldMemory.of(fd);
        }
    }

    /** Ends the count. */
    void letGo() {
        if (held != null) {
            held.letGo();
            held = null;
        }
    }

    /**
     * Begins the wait of one more watch, and polls once. The wait goes on even if the call throws.
     *
     * @param gone as for {@link FileTracker#look}
     */
    abstract void await(long now, Consumer<TrackedFile> gone);

    /** Ends the tracking. */
    abstract void forget();

    /**
     * {@return whether an event of a descriptor announces the end}
     *
     * @param heard the descriptor for which the table's thread waits, or negative
     */
    boolean endsBy(int heard) {
        return false;
    }

    /** {@return whether a watch waits, because its owner has ended its own uses} */
    boolean awaited() {
        for (HolderWatch watch : watches) {
            if (watch.callback != null) {
                return true;
            }
        }
        return false;
    }

    /** A memfd: inotify reports when its inode is deleted. */
    static final class Memfd extends TrackedFile {
        final int number;
        private final Inotify tracker;

        Memfd(Inotify tracker, int number) {
            this.tracker = tracker;
            this.number = number;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            tracker.look(now, true, gone);
        }

        @Override
        void forget() {
            tracker.remove(this);
        }

        @Override
        boolean endsBy(int heard) {
            return heard >= 0 && heard == tracker.fd();
        }
    }

    /** Secret memory: the kernel lists its lock as long as the file is open in any process. */
    static final class Secret extends TrackedFile {
        /** Device and inode in the form of the kernel's list of locks. */
        final String number;

        private final SecretLocks tracker;

        Secret(SecretLocks tracker, String number) {
            this.tracker = tracker;
            this.number = number;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            tracker.backoff.from(now);
            tracker.look(now, true, gone);
        }

        @Override
        void forget() {
            tracker.remove(this);
        }
    }

    /** A dma-buf: the kernel shows the number of its holders. */
    static final class DmaBuf extends TrackedFile {
        final long inode;
        final Backoff backoff = new Backoff();
        private final DmaBufCounts tracker;
        private final HolderCalls calls;
        private final OwnedFd ours;

        /**
         * Takes over a descriptor.
         *
         * @param tracker has this file by its inode
         * @param calls read the number of holders
         * @param inode its inode number
         * @param ours the only descriptor that trackers of this process hold
         */
        DmaBuf(DmaBufCounts tracker, HolderCalls calls, long inode, OwnedFd ours) {
            this.tracker = tracker;
            this.calls = calls;
            this.inode = inode;
            this.ours = ours;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            backoff.from(now);
            tracker.look(this, gone);
        }

        @Override
        void forget() {
            tracker.remove(this);
        }

        /**
         * {@return the number of descriptors, mappings, messages and importers that hold it, including our own
         * descriptor; -1 if unknown}
         *
         * <p>Only the first {@code count:} is genuine. The name follows it, in which a holder can forge lines.
         */
        long holders() {
            try {
                return count();
            } catch (HeapException e) {
                return -1; // no descriptor left for the reading: unknown counts as held, and the next poll decides
            }
        }

        /**
         * As {@link #holders}.
         *
         * @throws HeapException when the process has no descriptor left to read with
         */
        long count() {
            try {
                for (String line : (Iterable<String>) calls.fdinfo(ours.fd()).lines()::iterator) {
                    if (line.startsWith("count:")) {
                        return Long.parseLong(line.substring("count:".length()).strip());
                    }
                }
            } catch (IOException | NumberFormatException e) {
                // Unknown counts as held; the next poll decides.
            }
            return -1;
        }

        void close() {
            ours.close();
        }
    }
}
