// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Tells when the last holder has let go of memory whose descriptor left the process: a holder has a
 * descriptor, a mapping, a message that nobody has received yet, or an import into a device, in this process or
 * another. Until then the memory must be charged, and must not be used again.
 *
 * <p>How the kernel tells depends on what the memory is. A memfd is watched by inotify, which says by itself when the
 * last use has ended. A dma-buf is held by one descriptor more, and its holders are counted in {@code fdinfo}, at
 * intervals that grow from 50 ms to 2 s with the time that a holder stays. Secret memory is locked by flock(2), and
 * {@code /proc/locks} is looked at as often: that is exact unless a holder unlocks what it got. Nothing else can be
 * followed. A process has one inotify instance for this, one descriptor for each dma-buf and one daemon thread
 * {@code dmaheap-holders}, however many objects of this class there are: each would otherwise take the others'
 * descriptors for holders. The thread starts when somebody first waits, and ends with the last object that is closed.
 *
 * <p>Two copies of this bundle in one process do not know of each other. Where both follow one dma-buf, each counts the
 * other's descriptor as a holder for as long as the other waits, and neither wait ends: keep one version of heap-linux
 * in a framework.
 *
 * <p>A holder that means harm can keep memory unseen: the list is in the project's README under "What is not exact".
 * What a region hands out again is safe from that: see {@code RegionSource}.
 *
 * <p>Any thread may call any method. It holds no class of a heap but the callbacks that wait.
 */
public final class HolderTracker implements AutoCloseable {
    private volatile HolderTable table;
    private boolean closed;

    /** Takes nothing of the system before the first {@link #watch}. */
    public HolderTracker() {}

    /** With calls of a test's choice. */
    HolderTracker(HolderTable table) {
        this.table = table;
        table.join(this);
    }

    /**
     * Begins to follow memory whose descriptor is about to leave. To be called before it leaves, while the caller holds
     * it.
     *
     * @param heap named in a refusal
     * @param size bytes, named in a refusal
     * @param fd a descriptor of the memory, which stays the caller's and may be closed at any time
     * @return waits for the end when told to
     * @throws HeapException when it cannot be followed, and so must not leave: {@link Errno#ENOSPC},
     *     {@link Errno#EMFILE} or {@link Errno#ENOMEM} when a limit is in the way, which the message names;
     *     {@link Errno#ENOTSUP} for what is neither memfd nor dma-buf, such as a file of tmpfs that has a name, or
     *     where {@code /proc} does not show it
     * @throws IllegalStateException when closed
     */
    public HolderWatch watch(String heap, long size, int fd) {
        return table().watch(this, heap, size, fd);
    }

    /**
     * Asks the kernel now about all that is waited for, before somebody is refused for want of what a holder may hold
     * no longer. Who is refused again and again does not ask each time: what was asked within the last 10 ms is not
     * asked again. Callbacks have run when the call returns, those of other objects too, and those that other threads
     * run, unless they take longer than they may.
     *
     * @return as {@link #told()}, now
     */
    public long look() {
        HolderTable asked = table;
        return asked == null ? 0 : asked.look();
    }

    /** {@return how many callbacks have run up to now, of all objects; it tells whether one has since another time} */
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
     * Ends every wait of this object, as {@link HolderWatch#close()} does. The last object that is closed ends the
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
