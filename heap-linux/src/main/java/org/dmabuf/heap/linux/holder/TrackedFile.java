// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.fd.Fd;
import org.dmabuf.heap.linux.headroom.HeldMemory;

/** Shareable memory whose last use is waited for. Guarded by its {@link HolderTable}. */
abstract sealed class TrackedFile {
    /** Everybody in this process who wants to know. */
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

    /** One watch waits no more, which was dropped or whose memory has gone. */
    void unawait() {}

    /** Ends the following. */
    abstract void forget();

    /** {@return whether somebody waits for the end, all of whose own uses have ended} */
    boolean awaited() {
        for (HolderWatch watch : watches) {
            if (watch.callback != null) {
                return true;
            }
        }
        return false;
    }

    /** Of which the kernel says by itself that it is gone. */
    static final class Memfd extends TrackedFile {
        final int number;
        private final Inotify follower;

        Memfd(Inotify follower, int number) {
            this.follower = follower;
            this.number = number;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            follower.awaited++;
            follower.look(now, true, gone);
        }

        @Override
        void unawait() {
            follower.awaited--;
        }

        @Override
        void forget() {
            follower.remove(this);
        }
    }

    /** Of which the kernel shows, when asked, a lock for as long as it is open anywhere. */
    static final class Secret extends TrackedFile {
        /** Device and inode, as the kernel's list of locks has them. */
        final String number;
        private final SecretLocks follower;

        Secret(SecretLocks follower, String number) {
            this.follower = follower;
            this.number = number;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            follower.pace.from(now);
            follower.look(now, true, gone);
        }

        @Override
        void forget() {
            follower.remove(this);
        }
    }

    /** Of which the kernel says, when asked, how often it is held. */
    static final class DmaBuf extends TrackedFile {
        final long inode;
        final Backoff pace = new Backoff();
        private final DmaBufCounts follower;
        private final HolderCalls calls;
        private final Fd ours;

        /**
         * Takes over a descriptor.
         *
         * @param follower has it by its number
         * @param calls count who holds it
         * @param inode its number
         * @param ours the only descriptor of it that is held here
         */
        DmaBuf(DmaBufCounts follower, HolderCalls calls, long inode, Fd ours) {
            this.follower = follower;
            this.calls = calls;
            this.inode = inode;
            this.ours = ours;
        }

        @Override
        void await(long now, Consumer<TrackedFile> gone) {
            pace.from(now);
            follower.look(this, gone);
        }

        @Override
        void forget() {
            follower.remove(this);
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
