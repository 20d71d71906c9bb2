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
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of the machine's memory, with one sealed memfd for each buffer. It needs neither a device node nor privileges.
 * Other processes can map such a buffer, but devices cannot import it.
 *
 * <p>A large buffer is allocated in pieces of 64 MiB. An interrupt of the thread ends the allocation between two
 * pieces, with {@link Errno#EINTR}.
 *
 * <p>It is a complete exporter: a heap registers it as a service with {@link #properties()} and a name. Buffers keep
 * working without the heap's bundle, because their classes are in heap-linux.
 */
public final class MemfdSource implements MemorySource {
    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Memfd memfd;
    private final Mmap mmap;
    private final LargeFolios folios;
    private final RequestValidator validator;

    private MemfdSource(String heap, Syscalls syscalls, Headroom headroom, LargeFolios folios, boolean readOnlyExport) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.folios = folios;
        this.validator = new RequestValidator(heap, readOnlyExport ? "" : Memfd.WHY_NOT_READ_ONLY);
    }

    /**
     * Opens a source of memfds of this machine, within its remaining memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @return a source, which the caller closes
     * @throws HeapException when the kernel does not support this, or a resource is short
     */
    public static MemfdSource open(String heap) {
        return open(heap, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Opens a source, and tests the kernel's abilities with one page.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @return a source, which the caller closes
     * @throws HeapException when this kernel does not support it
     */
    public static MemfdSource open(String heap, Syscalls syscalls, Headroom headroom) {
        return open(heap, syscalls, headroom, new LargeFolios(heap, syscalls));
    }

    static MemfdSource open(String heap, Syscalls syscalls, Headroom headroom, LargeFolios folios) {
        MemfdSource plain = new MemfdSource(heap, syscalls, headroom, folios, false);
        plain.writableExport(heap, Bytes.PAGE, true).release();
        try {
            plain.readOnlyExport(heap, Bytes.PAGE).release();
            return new MemfdSource(heap, syscalls, headroom, folios, true);
        } catch (HeapException e) {
            if (e.errno() != Errno.EINVAL) { // a present shortage does not show what the kernel supports
                throw e;
            }
            return plain; // kernels before 5.1 have no seal against future writers
        }
    }

    @Override
    public Map<String, Object> properties() {
        return PhysicalMemory.with(Map.of(
                HeapProperties.BACKEND,
                "memfd",
                HeapProperties.DMABUF,
                false,
                HeapProperties.CONTIGUOUS_MAX,
                Bytes.PAGE,
                HeapProperties.ALIGNMENT,
                Bytes.PAGE,
                HeapProperties.EXPORT_READONLY,
                validator.grantsReadOnlyExport()));
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
        return MemfdUsage.of(headroom, Long.MAX_VALUE)
                .withInLargeFolios(folios.held().get());
    }

    /** Does nothing, because the source holds nothing between allocations. */
    @Override
    public void close() {}

    private HeapBuffer writableExport(String name, long size, boolean exportable) {
        // SEAL at once: otherwise a receiver could add a seal that prevents us from mapping for writing.
        NewMemfd made = memfd.create(heap, name, size, Memfd.F_SEAL_SEAL, folios);
        try {
            return new MemfdBuffer(syscalls, mmap, headroom, folios, heap, made, size, exportable);
        } catch (Error e) {
            syscalls.close(made.fd());
            throw e;
        }
    }

    /** The order is essential: map for writing, open the read-only descriptor, then seal. */
    private HeapBuffer readOnlyExport(String name, long size) {
        NewMemfd made = memfd.create(heap, name, size, 0, folios);
        int writable = made.fd();
        try {
            MemorySegment kept = mmap.mapToKeep(heap, writable, size);
            int readOnly = -1;
            try {
                readOnly = syscalls.open("/proc/self/fd/" + writable, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC);
                if (readOnly < 0) {
                    throw KernelError.of(heap, size, "open(/proc/self/fd)", readOnly);
                }
                int sealed = syscalls.fcntl(writable, Memfd.F_ADD_SEALS, Memfd.F_SEAL_FUTURE_WRITE | Memfd.F_SEAL_SEAL);
                if (sealed < 0) {
                    throw KernelError.of(heap, size, "fcntl(F_SEAL_FUTURE_WRITE)", sealed);
                }
                return new ReadOnlyExportBuffer(syscalls, mmap, headroom, folios, made.inLargeFolios(), kept, readOnly);
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
