// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Tracker of memory whose descriptor left the process, until its last holder has let go. A holder has a descriptor, a
 * mapping, a message in flight or an import into a device, in this process or another. Until then the memory must be
 * charged, and must not be used again.
 *
 * <p>How the last holder is found depends on what the memory is. A memfd is watched by inotify, which reports by itself
 * when the last use has ended. A dma-buf is held by one descriptor more. Its holders are counted in {@code fdinfo}, at
 * intervals that grow from 50 ms to 2 s with the time that a holder stays. Secret memory is locked by flock(2), and
 * {@code /proc/locks} is read as often: that is exact unless a holder unlocks what it got. No other memory can be
 * tracked.
 *
 * <p>A process has one inotify instance for this, one descriptor for each dma-buf and one daemon thread
 * {@code dmaheap-holders}, however many trackers there are: each would otherwise take the others' descriptors for
 * holders. The thread starts with the first wait, and ends when the last tracker is closed.
 *
 * <p>Two copies of this bundle in one process do not know of each other. Where both track one dma-buf, each counts the
 * other's descriptor as a holder for as long as the other waits, and neither wait ends: keep one version of heap-linux
 * in a framework.
 *
 * <p>A holder that means harm can keep memory unseen: the list is in the project's README under "What is not exact".
 * What a region hands out again is safe from that: see {@code RegionSource}.
 *
 * <p>Any thread may call any method. A tracker holds no class of a heap but the callbacks that wait.
 */
public final class HolderTracker implements AutoCloseable {
    private volatile HolderTable table;
    private boolean closed;

    /** Takes nothing of the system before the first {@link #watch}. */
    public HolderTracker() {}

    /** With the table of a test. */
    HolderTracker(HolderTable table) {
        this.table = table;
        table.join(this);
    }

    /**
     * Begins to track memory whose descriptor is about to leave. To be called before it leaves, while the caller holds
     * it.
     *
     * @param heap named in a refusal
     * @param size bytes, named in a refusal
     * @param fd a descriptor of the memory, which stays the caller's and may be closed at any time
     * @return waits for the end once {@link HolderWatch#whenGone} is called; to be closed
     * @throws HeapException when it cannot be tracked, and so must not leave: {@link Errno#ENOSPC},
     *     {@link Errno#EMFILE} or {@link Errno#ENOMEM} when a limit is in the way, which the message names;
     *     {@link Errno#ENOTSUP} for what is neither memfd nor dma-buf, such as a file of tmpfs that has a name, or
     *     where {@code /proc} does not show it
     * @throws IllegalStateException when closed
     */
    public HolderWatch watch(String heap, long size, int fd) {
        return table().watch(this, heap, size, fd);
    }

    /**
     * Asks the kernel now for all holders that are waited for. To be called before a client is refused memory that a
     * holder may have released by now. An answer serves all calls of the next 10 ms, so that repeated refusals cost
     * little. Callbacks that are due have run when the call returns, those of other trackers included. It waits at most
     * 50 ms for callbacks that other threads run.
     *
     * @return as {@link #told()}, now
     */
    public long look() {
        HolderTable asked = table;
        return asked == null ? 0 : asked.look();
    }

    /** {@return how many callbacks of all trackers have run up to now; another number later means that one has run} */
    public long told() {
        HolderTable asked = table;
        return asked == null ? 0 : asked.told();
    }

    private synchronized HolderTable table() {
        if (closed) {
            throw new IllegalStateException("holders are not waited for any more");
        }
        if (table == null) {
            table = HolderTable.joinShared(this);
        }
        return table;
    }

    /**
     * Ends every wait of this tracker, as {@link HolderWatch#close()} does. The last tracker that is closed ends the
     * thread. Closing twice does nothing.
     */
    @Override
    public void close() {
        HolderTable left;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            left = table;
        }
        if (left != null) {
            left.leave(this);
        }
    }
}
