// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.DmaBufDevices;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of buffers that are one physical run of 2 MiB each, as dma-bufs by {@value UdmabufSource#DEVICE}. A request
 * for fewer bytes gets 2 MiB. The dma-buf pins the memory, so that the kernel can neither split nor move it. There is
 * no read-only export, because each holder of a descriptor can write.
 */
public final class ContiguousSource implements MemorySource {
    private final String heap;
    private final Syscalls syscalls;
    private final Udmabuf udmabuf;
    private final Mmap mmap;
    private final Runs runs;
    private final RequestValidator validator;

    private ContiguousSource(String heap, Syscalls syscalls, Udmabuf udmabuf, Runs runs) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.udmabuf = udmabuf;
        this.mmap = new Mmap(syscalls);
        this.runs = runs;
        this.validator = new RequestValidator(heap, DmaBufDevices.WHY_NOT_READ_ONLY, PhysicalRun.BYTES);
    }

    /**
     * Checks that the machine has set aside huge pages of 2 MiB, free or not.
     *
     * @param heap named in a refusal
     * @throws HeapException {@link Errno#ENOENT} with the place to add them
     */
    public static void requireHugePages(String heap) {
        HugePages.ofTheMachine().requirePool(heap, PhysicalRun.BYTES);
    }

    /**
     * Opens a source of the machine's huge pages, and makes one buffer as a test.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param syscalls the kernel
     * @param headroom limits for huge pages that the kernel charges to a cgroup
     * @return a source, which the caller closes
     * @throws HeapException {@link Errno#ENOENT}, {@link Errno#EACCES} or another error if the device cannot be used;
     *     {@link Errno#ENOMEM} if no huge page of 2 MiB is free; {@link Errno#EINVAL} if the machine has no such pages;
     *     {@link Errno#ENOTSUP} if its kernel makes no dma-buf of them, as some before Linux 6.11
     */
    public static ContiguousSource onHugePages(String heap, Syscalls syscalls, Headroom headroom) {
        return open(heap, syscalls, new HugePageRuns(heap, syscalls, headroom, HugePages.ofTheMachine()));
    }

    /**
     * Opens a source of ordinary memory in large folios, and makes one buffer as a test.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @return a source, which the caller closes
     * @throws HeapException {@link Errno#ENOENT}, {@link Errno#EACCES} or another error if the device cannot be used;
     *     {@link Errno#ENOTSUP} if the kernel has no large folios of 2 MiB, or does not show whether a folio is whole;
     *     {@link Errno#ENOMEM} if memory is too fragmented
     */
    public static ContiguousSource inLargeFolios(String heap, Syscalls syscalls, Headroom headroom) {
        LargeFolios folios = LargeFolios.insisting(heap, syscalls);
        return open(heap, syscalls, new LargeFolioRuns(heap, syscalls, headroom, folios));
    }

    private static ContiguousSource open(String heap, Syscalls syscalls, Runs runs) {
        Udmabuf udmabuf = Udmabuf.open(heap, syscalls, Path.of(DmaBufDevices.UDMABUF_SIZE_LIMIT));
        try {
            ContiguousSource source = new ContiguousSource(heap, syscalls, udmabuf, runs);
            source.make(heap, true).release();
            return source;
        } catch (RuntimeException | Error e) {
            udmabuf.close();
            throw e;
        }
    }

    @Override
    public Map<String, Object> properties() {
        return PhysicalMemory.with(Map.of(
                HeapProperties.BACKEND,
                runs.backend(),
                HeapProperties.DMABUF,
                true,
                HeapProperties.CONTIGUOUS,
                true,
                HeapProperties.CONTIGUOUS_MAX,
                PhysicalRun.BYTES,
                HeapProperties.ALIGNMENT,
                PhysicalRun.BYTES,
                HeapProperties.SG_ENTRY,
                Bytes.PAGE,
                HeapProperties.SIZE_MAX,
                largest(),
                HeapProperties.SIZE_GRANULE,
                PhysicalRun.BYTES,
                HeapProperties.EXPORT_READONLY,
                validator.grantsReadOnlyExport()));
    }

    /** Returns 0 if an operator's limit for udmabuf is below one run, which every buffer takes. */
    private long largest() {
        return udmabuf.limit() < PhysicalRun.BYTES ? 0 : PhysicalRun.BYTES;
    }

    /** A request without export gets a dma-buf as well, because only that keeps the run whole. */
    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        if (size > PhysicalRun.BYTES) {
            throw HeapException.of(
                    Errno.ENOMEM,
                    heap,
                    size + " bytes exceed this heap's physical runs of " + Bytes.text(PhysicalRun.BYTES)
                            + "; ask for less, or use a heap of CMA or a carveout");
        }
        return make(request.name().orElse(heap), request.export() != ExportMode.NONE);
    }

    private HeapBuffer make(String name, boolean exportable) {
        udmabuf.requireWithinLimit(PhysicalRun.BYTES);
        NewMemfd made = runs.make(name);
        try {
            MemorySegment kept = mmap.mapToKeep(heap, made.fd(), PhysicalRun.BYTES);
            try {
                return pin(name, made, kept, exportable);
            } catch (RuntimeException | Error e) {
                mmap.unmap(kept);
                throw e;
            }
        } finally {
            syscalls.close(made.fd()); // the mapping and the dma-buf keep its pages
        }
    }

    private HeapBuffer pin(String name, NewMemfd memfd, MemorySegment kept, boolean exportable) {
        int dmaBuf;
        try {
            dmaBuf = udmabuf.create(memfd.fd(), 0, kept.byteSize(), name);
        } catch (HeapException e) {
            throw runs.notPinned(e);
        }
        try {
            runs.requireOneRun(kept);
            return new UdmabufBuffer(syscalls, mmap, heap, kept, dmaBuf, exportable, () -> runs.count(memfd));
        } catch (RuntimeException | Error e) {
            syscalls.close(dmaBuf);
            throw e;
        }
    }

    @Override
    public HeapUsage usage() {
        return runs.usage();
    }

    /** Closes the device. */
    @Override
    public void close() {
        udmabuf.close();
    }
}
