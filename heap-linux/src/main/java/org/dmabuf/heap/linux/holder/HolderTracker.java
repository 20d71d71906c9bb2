// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.holder;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;

/**
 * Tracker of exported memory until its last holder is gone. A holder is a descriptor, a mapping, a message in flight or
 * an import into a device, in this process or another. As long as there is a holder, the memory must stay charged and
 * must not be reused.
 *
 * <p>The means depend on the kind of memory. For a memfd, inotify reports the end of the last holder. After an end, the
 * thread looks again 1 ms later, so that many ends wake it once. For a dma-buf, the tracker keeps a descriptor of its
 * own and reads the number of holders from {@code fdinfo}. The intervals grow from 50 ms to 2 s with the waiting time.
 * For secret memory, the tracker locks the file by flock(2) and reads {@code /proc/locks} at the same intervals. This
 * is exact unless a holder unlocks the file. Other memory cannot be tracked.
 *
 * <p>All trackers of a process share one inotify instance, one descriptor for each dma-buf and one daemon thread
 * {@code dmaheap-holders}. Otherwise each tracker would count the descriptors of the others as holders. The thread
 * starts with the first wait and ends when the last tracker is closed.
 *
 * <p>Install only one version of heap-linux in a framework. If two copies in one process track the same dma-buf, each
 * counts the descriptor of the other as a holder, and neither wait ends.
 *
 * <p>A malicious holder can keep memory without being detected; the project's {@code docs/accounting.md} lists the ways
 * under "What is not exact". Ranges that a region reuses are safe from this, see {@code RegionSource}.
 *
 * <p>Any thread may call any method. A tracker refers to no class of a heap except the callbacks that wait.
 */
public final class HolderTracker implements AutoCloseable {
    private volatile HolderTable table;
    private boolean closed;

    /** Makes a tracker, which takes no resources of the system before the first {@link #watch}. */
    public HolderTracker() {}

    /** Makes a tracker with the table of a test. */
    HolderTracker(HolderTable table) {
        this.table = table;
        table.join(this);
    }

    /**
     * Begins to track memory. Call it before the descriptor is exported, while the caller holds the memory.
     *
     * @param heap named in a refusal
     * @param size bytes, named in an exception
     * @param fd a descriptor of the memory, which the caller keeps and may close at any time
     * @return a watch, which waits for the last holder after a call of {@link HolderWatch#whenGone}; the caller closes
     *     it
     * @throws HeapException when the memory cannot be tracked and therefore must not be exported: {@link Errno#ENOSPC},
     *     {@link Errno#EMFILE} or {@link Errno#ENOMEM} with the exhausted limit in the message; {@link Errno#ENOTSUP}
     *     for a file that is neither memfd nor dma-buf, such as a file on tmpfs, or if {@code /proc} does not show it
     * @throws IllegalStateException when closed
     */
    public HolderWatch watch(String heap, long size, int fd) {
        return table().watch(this, heap, size, fd);
    }

    /**
     * Polls the kernel now for all awaited holders. Call it before refusing a client memory that a holder may have
     * released. Counts of dma-bufs and locks of secret memory are reused for 10 ms, so that repeated refusals are
     * cheap. When the call returns, the due callbacks of all trackers have run. The call waits at most 50 ms for
     * callbacks in other threads.
     *
     * @return the current value of {@link #ended()}
     */
    public long look() {
        HolderTable asked = table;
        return asked == null ? 0 : asked.look();
    }

    /**
     * {@return the number of callbacks of all trackers that have run; a later, different number means that another one
     * has run}
     */
    public long ended() {
        HolderTable asked = table;
        return asked == null ? 0 : asked.ended();
    }

    private synchronized HolderTable table() {
        if (closed) {
            throw new IllegalStateException("the holder tracker is closed");
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
