// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.pool;

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

/** Memory of a pool: a source's buffer with one mapping for life. Every page exists, so accesses do not fault. */
final class PooledMemory {
    private static final QuietLog LOG = new QuietLog(PooledMemory.class);

    /** Requested bytes in whole pages; the source may have rounded up further. */
    final long asked;

    /** Bytes that it takes from the machine. */
    final long bytes;

    final HeapBuffer buffer;
    final MemorySegment mapping;

    /**
     * Time at which it was put into the recycle pool, with a precision of a quarter of the idle time. Written by the
     * thread that puts it.
     */
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
     * @param source makes the memory
     * @param heap named in a refusal
     * @param request of whole pages
     * @throws HeapException when the source refuses; {@link Errno#EIO} for less memory than requested,
     *     {@link Errno#EAGAIN} when the process has no space for a mapping, {@link Errno#EINTR} when the thread was
     *     interrupted; the call then holds nothing
     */
    static PooledMemory make(HeapExporter source, String heap, HeapRequest request) {
        HeapBuffer buffer = source.allocate(request);
        try {
            if (buffer.size() < request.size()) {
                throw HeapException.of(
                        Errno.EIO,
                        heap,
                        "its source returned a buffer of " + buffer.size() + " bytes instead of " + request.size()
                                + "; report that to the heap's vendor");
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

    /** Releases it to the machine. */
    void release() {
        try {
            buffer.unmap(mapping);
        } finally {
            buffer.release();
        }
    }

    /** Releases all of them to the machine. A release that throws is logged and does not prevent the others. */
    static void releaseAll(List<PooledMemory> gone) {
        for (PooledMemory memory : gone) {
            try {
                memory.release();
            } catch (RuntimeException | Error e) {
                LOG.error("releasing pooled memory failed", e);
            }
        }
    }
}
