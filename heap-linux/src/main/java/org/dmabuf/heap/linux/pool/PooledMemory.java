// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.kernel.KeptMapping;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;

/** Memory of a pool: a source's buffer with one mapping for life. Every page is there, and no access faults. */
final class PooledMemory {
    private static final QuietLog LOG = new QuietLog(PooledMemory.class);

    /** Whole pages that were asked for; the source may have rounded up further. */
    final long asked;

    /** What it takes of the machine. */
    final long bytes;

    final HeapBuffer buffer;
    final MemorySegment mapping;

    /** When it was put into the recycle pool, to a quarter of the idle time. Written by the thread that puts it. */
    long since;

    private PooledMemory(long asked, HeapBuffer buffer, MemorySegment mapping) {
        this.asked = asked;
        this.bytes = buffer.size();
        this.buffer = buffer;
        this.mapping = mapping;
    }

    /**
     * Makes memory and maps it.
     *
     * @param source makes it
     * @param heap named in a refusal
     * @param request of whole pages
     * @throws HeapException the source's refusal, {@link Errno#EIO} for less than was asked for, {@link Errno#EAGAIN}
     *     where the process has no room for a mapping, {@link Errno#EINTR} when the thread was interrupted; nothing is
     *     held
     */
    static PooledMemory make(HeapExporter source, String heap, HeapRequest request) {
        HeapBuffer buffer = source.allocate(request);
        try {
            if (buffer.size() < request.size()) {
                throw HeapException.of(
                        Errno.EIO,
                        heap,
                        "its source made " + buffer.size() + " bytes of the " + request.size()
                                + " that were asked for; report that to its vendor");
            }
            return new PooledMemory(request.size(), buffer, map(heap, buffer));
        } catch (RuntimeException | Error e) {
            buffer.release();
            throw e;
        }
    }

    private static MemorySegment map(String heap, HeapBuffer buffer) {
        try {
            return buffer instanceof KeptMapping own ? own.mapToKeep() : buffer.map(Access.READ_WRITE);
        } catch (HeapException e) {
            throw KernelError.ofMapping(heap, e);
        }
    }

    /** Gives it back to the machine. */
    void release() {
        try {
            buffer.unmap(mapping);
        } finally {
            buffer.release();
        }
    }

    /** Gives all of them back to the machine. A release that throws is logged and keeps no other from its own. */
    static void releaseAll(List<PooledMemory> gone) {
        for (PooledMemory memory : gone) {
            try {
                memory.release();
            } catch (RuntimeException | Error e) {
                LOG.failure(Level.ERROR, "the release of memory of a pool failed", e);
            }
        }
    }
}
