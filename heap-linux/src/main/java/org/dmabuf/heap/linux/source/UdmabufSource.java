// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.DmaBufDevices;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.Udmabuf;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of the machine's memory as dma-bufs by {@value #DEVICE}, which devices import. A buffer is one sealed memfd
 * and one dma-buf. There is no read-only export, because each holder of a descriptor can write. A buffer without export
 * is a plain memfd.
 *
 * <p>A large memfd is allocated in pieces of 64 MiB. An interrupt of the thread ends the allocation between two pieces,
 * with {@link Errno#EINTR}. The kernel makes the dma-buf in one call, which an interrupt does not end.
 */
public final class UdmabufSource implements MemorySource {
    /** Node of the device. */
    public static final String DEVICE = DmaBufDevices.UDMABUF;

    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final Udmabuf udmabuf;
    private final Memfd memfd;
    private final Mmap mmap;
    private final LargeFolios folios;
    private final RequestValidator validator;

    private UdmabufSource(String heap, Syscalls syscalls, Headroom headroom, Udmabuf udmabuf) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.udmabuf = udmabuf;
        this.memfd = new Memfd(syscalls);
        this.mmap = new Mmap(syscalls);
        this.folios = new LargeFolios(heap, syscalls);
        this.validator = new RequestValidator(heap, DmaBufDevices.WHY_NOT_READ_ONLY);
    }

    /**
     * Opens the device of this machine, within its remaining memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @return a source, which the caller closes
     * @throws HeapException when the machine does not have the device, or a resource is short
     */
    public static UdmabufSource open(String heap) {
        return open(heap, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Opens the device, and tests its abilities with one page.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @return a source, which the caller closes
     * @throws HeapException {@link Errno#ENOENT} if the device does not exist, {@link Errno#EACCES} if this process may
     *     not open it, or any other error of the kernel
     */
    public static UdmabufSource open(String heap, Syscalls syscalls, Headroom headroom) {
        return open(heap, syscalls, headroom, Path.of(DmaBufDevices.UDMABUF_SIZE_LIMIT));
    }

    static UdmabufSource open(String heap, Syscalls syscalls, Headroom headroom, Path limitFile) {
        Udmabuf udmabuf = Udmabuf.open(heap, syscalls, limitFile);
        try {
            UdmabufSource source = new UdmabufSource(heap, syscalls, headroom, udmabuf);
            source.probe();
            return source;
        } catch (RuntimeException | Error e) {
            udmabuf.close();
            throw e;
        }
    }

    private void probe() {
        // One page, not reserved in the headroom: a present shortage does not mean that udmabuf is missing.
        HeapBuffer page = makeDmaBuf(heap, Bytes.PAGE);
        try {
            page.beginCpuAccess(Access.READ_WRITE);
            page.endCpuAccess(Access.READ_WRITE);
        } finally {
            page.release();
        }
    }

    @Override
    public Map<String, Object> properties() {
        return PhysicalMemory.with(Map.of(
                HeapProperties.BACKEND,
                "udmabuf",
                HeapProperties.DMABUF,
                true,
                HeapProperties.CONTIGUOUS_MAX,
                Bytes.PAGE,
                HeapProperties.ALIGNMENT,
                Bytes.PAGE,
                HeapProperties.SG_ENTRY,
                Bytes.PAGE,
                HeapProperties.SIZE_MAX,
                udmabuf.limit(),
                HeapProperties.EXPORT_READONLY,
                validator.grantsReadOnlyExport()));
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        return reserveAndMake(request.name().orElse(heap), size, request.export() != ExportMode.NONE);
    }

    @Override
    public HeapUsage usage() {
        return MemfdUsage.of(headroom, udmabuf.limit())
                .withInLargeFolios(folios.held().get());
    }

    /** Closes the device. */
    @Override
    public void close() {
        udmabuf.close();
    }

    private HeapBuffer reserveAndMake(String name, long size, boolean exportable) {
        headroom.reserve(heap, size);
        try {
            return exportable ? makeDmaBuf(name, size) : makePlain(name, size);
        } finally {
            headroom.settle(size);
        }
    }

    private HeapBuffer makePlain(String name, long size) {
        NewMemfd made = memfd.create(heap, name, size, Memfd.F_SEAL_SEAL, folios);
        try {
            return new MemfdBuffer(syscalls, mmap, headroom, folios, heap, made, size, false);
        } catch (Error e) {
            syscalls.close(made.fd());
            throw e;
        }
    }

    private HeapBuffer makeDmaBuf(String name, long size) {
        udmabuf.requireWithinLimit(size);
        // Not sealed against writing, because udmabuf does not accept such a memfd.
        NewMemfd made = memfd.create(heap, name, size, Memfd.F_SEAL_SEAL, folios);
        try {
            MemorySegment kept = mmap.mapToKeep(heap, made.fd(), size);
            try {
                return makeDmaBuf(name, made, kept);
            } catch (RuntimeException | Error e) {
                mmap.unmap(kept);
                throw e;
            }
        } finally {
            syscalls.close(made.fd()); // the mapping and the dma-buf keep its pages
        }
    }

    private HeapBuffer makeDmaBuf(String name, NewMemfd memfd, MemorySegment kept) {
        int dmaBuf = udmabuf.create(memfd.fd(), 0, kept.byteSize(), name);
        try {
            return new UdmabufBuffer(
                    syscalls,
                    mmap,
                    heap,
                    kept,
                    dmaBuf,
                    true,
                    () -> new HeldMemory(headroom, kept.byteSize(), folios.held(), memfd.inLargeFolios()));
        } catch (Error e) {
            syscalls.close(dmaBuf);
            throw e;
        }
    }
}
