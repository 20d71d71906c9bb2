// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of the machine's memory, one sealed memfd a buffer. It needs no device node and no privilege. Other processes
 * can map such a buffer; no device imports it.
 *
 * <p>A large buffer gets its memory in pieces of 64 MiB. An interrupt of the thread ends the allocation between two of
 * them, with {@link Errno#EINTR}.
 *
 * <p>It is a complete exporter: a heap registers it as a service with {@link #properties()} and a name. Buffers work
 * after the bundle of the heap is gone, because their classes are this bundle's.
 */
public final class MemfdSource implements MemorySource {
    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Memfd memfd;
    private final Mmap mmap;
    private final RequestValidator validator;

    private MemfdSource(String heap, Syscalls syscalls, Headroom headroom, boolean readOnlyExport) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.validator = new RequestValidator(heap, readOnlyExport ? "" : Memfd.WHY_NOT_READ_ONLY);
    }

    /**
     * Tries memfds of this machine, within its memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @return a source, which the caller closes
     * @throws HeapException when the kernel gives no memory this way, or is short of something
     */
    public static MemfdSource open(String heap) {
        return open(heap, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Opens a source, and tries on one page what the kernel can do.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param syscalls the kernel
     * @param headroom what the machine has left
     * @return a source, to be closed
     * @throws HeapException when this kernel gives no memory this way
     */
    public static MemfdSource open(String heap, Syscalls syscalls, Headroom headroom) {
        MemfdSource plain = new MemfdSource(heap, syscalls, headroom, false);
        plain.writableExport(heap, Bytes.PAGE, true).release();
        try {
            plain.readOnlyExport(heap, Bytes.PAGE).release();
            return new MemfdSource(heap, syscalls, headroom, true);
        } catch (HeapException e) {
            if (e.errno() != Errno.EINVAL) { // a shortage of this moment shows nothing of the kernel
                throw e;
            }
            return plain; // a kernel before 5.1 has no seal against future writers
        }
    }

    @Override
    public Map<String, Object> properties() {
        return Map.of(
                HeapProperties.BACKEND, "memfd",
                HeapProperties.DMABUF, false,
                HeapProperties.CONTIGUOUS_MAX, Bytes.PAGE,
                HeapProperties.ALIGNMENT, Bytes.PAGE,
                HeapProperties.EXPORT_READONLY, validator.grantsReadOnlyExport());
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        String name = request.name().orElse(heap);
        headroom.reserve(heap, size);
        try {
            return request.export() == ExportMode.READ_ONLY
                    ? readOnlyExport(name, size)
                    : writableExport(name, size, request.export() != ExportMode.NONE);
        } finally {
            headroom.settle(size);
        }
    }

    @Override
    public HeapUsage usage() {
        return HeapUsage.unknown().withFree(headroom.available());
    }

    /** Holds nothing between allocations. */
    @Override
    public void close() {}

    private HeapBuffer writableExport(String name, long size, boolean exportable) {
        // SEAL at once: a receiver that could add a seal could keep us from mapping for writing.
        int fd = memfd.create(heap, name, size, Memfd.F_SEAL_SEAL);
        try {
            return new MemfdBuffer(syscalls, mmap, headroom, heap, fd, size, exportable);
        } catch (Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    /** Map for writing first, then take the read-only descriptor, then seal: no other order works. */
    private HeapBuffer readOnlyExport(String name, long size) {
        int writable = memfd.create(heap, name, size, 0);
        try {
            MemorySegment kept = mmap.mapToKeep(heap, writable, size);
            int readOnly = -1;
            try {
                readOnly = syscalls.open("/proc/self/fd/" + writable, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
                if (readOnly < 0) {
                    throw KernelError.of(heap, size, "open(/proc/self/fd)", readOnly);
                }
                int sealed = syscalls.fcntl(
                        writable, Memfd.F_ADD_SEALS, Memfd.F_SEAL_FUTURE_WRITE | Memfd.F_SEAL_SEAL);
                if (sealed < 0) {
                    throw KernelError.of(heap, size, "fcntl(F_SEAL_FUTURE_WRITE)", sealed);
                }
                return new ReadOnlyExportBuffer(syscalls, mmap, headroom, kept, readOnly);
            } catch (RuntimeException | Error e) {
                mmap.unmap(kept);
                if (readOnly >= 0) {
                    syscalls.close(readOnly);
                }
                throw e;
            }
        } finally {
            syscalls.close(writable);
        }
    }
}
