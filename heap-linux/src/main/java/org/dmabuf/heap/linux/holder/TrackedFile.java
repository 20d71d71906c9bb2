// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.headroom.HeldMemory;

/** Shareable memory whose last holder is tracked. Guarded by its {@link HolderTable}. */
abstract sealed class TrackedFile {
    /** Those of this process that wait, or will wait, for its end. */
    final List<HolderWatch> watches = new ArrayList<>(1);

    /** Keeps the memory counted until its end; null where its owner or its maker counts it. */
    private HeldMemory held;

    /** Counts the memory in full, once however many watches there are. */
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
     * Begins to wait for the end of one more watch's memory, and looks whether it has come. From here on the wait goes
     * on, also when it throws.
     *
     * @param gone as {@link FileTracker#look} has it
     */
    abstract void await(long now, Consumer<TrackedFile> gone);

    /** Ends the wait of one watch, which was dropped or whose memory has gone. */
    void unawait() {}

    /** Ends the tracking. */
    abstract void forget();

    /** {@return whether a watch waits for the end, because its owner's own uses are over} */
    boolean awaited() {
        for (HolderWatch watch : watches) {
            if (watch.callback != null) {
                return true;
            }
        }
        return false;
    }

    /** A memfd: the kernel reports by itself that it is gone. */
    static final class Memfd extends TrackedFile {
        final int number;
        private final Inotify tracker;

        Memfd(Inotify tracker, int number) {
            this.tracker = tracker;
            this.number = number;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            tracker.awaited++;
            tracker.look(now, true, gone);
        }

        @Override
        void unawait() {
            tracker.awaited--;
        }

        @Override
        void forget() {
            tracker.remove(this);
        }
    }

    /** Secret memory: the kernel shows, when asked, a lock for as long as it is open anywhere. */
    static final class Secret extends TrackedFile {
        /** Device and inode, as the kernel's list of locks has them. */
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

    /** A dma-buf: the kernel shows, when asked, how often it is held. */
    static final class DmaBuf extends TrackedFile {
        final long inode;
        final Backoff backoff = new Backoff();
        private final DmaBufCounts tracker;
        private final HolderCalls calls;
        private final OwnedFd ours;

        /**
         * Takes over a descriptor.
         *
         * @param tracker has it by its inode
         * @param calls show how often it is held
         * @param inode its number
         * @param ours the only descriptor of it that trackers of this process hold
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
         * {@return how many descriptors, mappings, messages and importers hold it, ours among them; -1 for unknown}
         *
         * <p>The first {@code count:} is the kernel's. The name comes after it, and a holder can forge lines there.
         */
        long holders() {
            try {
                return count();
            } catch (HeapException e) {
                return -1; // without a descriptor to read with; what is not known is held: it is asked again
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
                // What is not known is held: it is asked again.
            }
            return -1;
        }

        void close() {
            ours.close();
        }
    }
}
