// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.DeviceNode;
import org.dmabuf.heap.linux.kernel.DmaBufDevices;
import org.dmabuf.heap.linux.kernel.DmaBufName;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.machine.PhysicalMemory;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of memory from one of the kernel's own heaps, through its node below {@value #FOLDER}. Its buffers are
 * dma-bufs, which devices import. There is no read-only export, because each holder of a descriptor can write.
 *
 * <p>The kernel makes and zeroes a buffer in one call, which an interrupt of the thread does not end.
 */
public final class DmaHeapSource implements MemorySource {
    /** Folder with the nodes of the kernel's heaps. */
    public static final String FOLDER = DmaBufDevices.HEAPS;

    /** Read-only parameter that shows whether the kernel charges buffers to the cgroup; only in newer kernels. */
    private static final Path ACCOUNTING = Path.of("/sys/module/dma_heap/parameters/mem_accounting");

    private final String heap;
    private final String node;
    private final Syscalls syscalls;
    /** Null for a heap with memory of its own, separate from the machine's. */
    private final Headroom headroom;

    private final DeviceNode device;
    private final Mmap mmap;
    private final RequestValidator validator;
    private final boolean mappable;
    /** Whether all memory is of the machine. The kernel lends contiguous memory to other users until it is needed. */
    private final boolean ordinary;

    private DmaHeapSource(
            String heap,
            String node,
            Syscalls syscalls,
            Headroom headroom,
            DeviceNode device,
            boolean mappable,
            boolean ordinary) {
        this.heap = heap;
        this.node = node;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.device = device;
        this.mmap = new Mmap(syscalls);
        this.validator = new RequestValidator(heap, DmaBufDevices.WHY_NOT_READ_ONLY);
        this.mappable = mappable;
        this.ordinary = ordinary;
    }

    /**
     * Opens a heap of this machine's kernel that allocates from the machine's memory.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node name below {@value #FOLDER}
     * @return a source, which the caller closes
     * @throws HeapException when the node does not exist or may not be opened, or a resource is short
     */
    public static DmaHeapSource open(String heap, String node) {
        return open(heap, node, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Opens a heap of the kernel that allocates from the machine's memory, and tests its abilities with one page.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of the heap, below {@value #FOLDER}: for instance {@code system}
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory. It is checked before the kernel is called, because the kernel
     *     calls its OOM killer when memory is short. The cgroup's limit counts only if the kernel charges such memory
     *     to it
     * @return a source, which the caller closes
     * @throws HeapException {@link Errno#ENOENT} if the node does not exist, {@link Errno#EACCES} if this process may
     *     not open it, {@link Errno#ENOTTY} if it is not a heap, {@link Errno#EINVAL} for an invalid name, or any other
     *     error of the kernel
     */
    public static DmaHeapSource open(String heap, String node, Syscalls syscalls, Headroom headroom) {
        return open(heap, node, syscalls, headroom, ACCOUNTING);
    }

    static DmaHeapSource open(String heap, String node, Syscalls syscalls, Headroom headroom, Path accounting) {
        boolean charged =
                ProcFile.read(accounting).map(String::strip).orElse("N").equals("Y");
        return openNode(heap, node, syscalls, charged ? Objects.requireNonNull(headroom) : headroom.uncharged(), false);
    }

    /**
     * Opens a heap of this machine's kernel that has memory of its own.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node name below {@value #FOLDER}
     * @return a source, which the caller closes
     * @throws HeapException when the node does not exist or may not be opened, or a resource is short
     */
    public static DmaHeapSource openWithOwnMemory(String heap, String node) {
        return openWithOwnMemory(heap, node, Syscalls.linux());
    }

    /**
     * Opens a heap of the kernel that has memory of its own, and tests its abilities with one page. The machine's
     * remaining memory does not include this heap. Only the kernel knows when the heap is full, and then returns
     * {@link Errno#ENOMEM}.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of the heap, below {@value #FOLDER}: for instance {@code default_cma_region}
     * @param syscalls the kernel
     * @return a source, which the caller closes
     * @throws HeapException as {@link #open}
     */
    public static DmaHeapSource openWithOwnMemory(String heap, String node, Syscalls syscalls) {
        return openNode(heap, node, syscalls, null, false);
    }

    /**
     * Opens a heap of the kernel that has contiguous memory of its own, which the CPU can map. Unlike
     * {@link #openWithOwnMemory} it also opens a full heap, because holders may release its memory later.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of the heap, below {@value #FOLDER}: for instance {@code default_cma_region}
     * @param syscalls the kernel
     * @return a source, which the caller closes
     * @throws HeapException as {@link #open}
     */
    public static DmaHeapSource openContiguous(String heap, String node, Syscalls syscalls) {
        return openNode(heap, node, syscalls, null, true);
    }

    private static DmaHeapSource openNode(
            String heap, String node, Syscalls syscalls, Headroom headroom, boolean contiguous) {
        if (node.isBlank() || node.contains("/") || node.contains("..")) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "invalid name of a heap '" + node + "': expected one of " + FOLDER + ", without '/' and '..'");
        }
        DeviceNode device = DeviceNode.open(syscalls, heap, FOLDER + node);
        try {
            boolean ordinary = headroom != null || contiguous;
            boolean mappable =
                    new DmaHeapSource(heap, node, syscalls, headroom, device, true, ordinary).probe(contiguous);
            return new DmaHeapSource(heap, node, syscalls, headroom, device, mappable, ordinary);
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    /**
     * {@return whether the CPU can map a page of the heap}
     *
     * @param evenFull whether a heap without a free page counts as mappable
     */
    private boolean probe(boolean evenFull) {
        HeapBuffer page;
        try {
            // Not reserved in the headroom: a present shortage does not mean that the heap is missing.
            page = make(heap, Bytes.PAGE, true);
        } catch (HeapException e) {
            if (evenFull && e.errno() == Errno.ENOMEM) { // a full heap: any other file returns ENOTTY
                return true;
            }
            throw e;
        }
        try {
            page.beginCpuAccess(Access.READ_WRITE); // ENOTTY if it is not a dma-buf
            page.endCpuAccess(Access.READ_WRITE);
            return maps(page);
        } finally {
            page.release();
        }
    }

    private static boolean maps(HeapBuffer page) {
        try {
            page.unmap(page.map(Access.READ_WRITE));
            return true;
        } catch (HeapException e) {
            if (e.errno() == Errno.EINVAL) { // protected memory
                return false;
            }
            throw e;
        }
    }

    @Override
    public Map<String, Object> properties() {
        Map<String, Object> own = Map.of(
                HeapProperties.BACKEND,
                "dma-heap",
                HeapProperties.DMABUF,
                true,
                HeapProperties.CONTIGUOUS_MAX,
                Bytes.PAGE,
                HeapProperties.ALIGNMENT,
                Bytes.PAGE,
                HeapProperties.MAPPABLE,
                mappable,
                HeapProperties.EXPORT_READONLY,
                validator.grantsReadOnlyExport());
        return ordinary ? PhysicalMemory.with(own) : own;
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        return reserveAndMake(request.name().orElse(heap), size, request.export() != ExportMode.NONE);
    }

    @Override
    public HeapUsage usage() {
        return headroom == null ? HeapUsage.unknown() : HeapUsage.unknown().withFree(headroom.available());
    }

    /** Closes the node. */
    @Override
    public void close() {
        device.close();
    }

    /** {@return only the machine's limits if the kernel does not charge the memory to a cgroup} */
    @Override
    public Headroom limits(Headroom all) {
        return headroom == null ? all : headroom;
    }

    private HeapBuffer reserveAndMake(String name, long size, boolean exportable) {
        if (headroom == null) {
            requireLessThanAllMemory(size);
            return make(name, size, exportable);
        }
        headroom.reserve(heap, size);
        try {
            return make(name, size, exportable);
        } finally {
            headroom.settle(size);
        }
    }

    /** Refuses a size that exceeds the machine's memory. The kernel decides about smaller ones. */
    private void requireLessThanAllMemory(long size) {
        long all;
        try {
            all = Headroom.total();
        } catch (HeapException e) {
            throw KernelError.of(heap, size, "open(/proc/meminfo)", -e.errno().number());
        }
        if (size > all) {
            throw HeapException.of(
                    Errno.ENOMEM,
                    heap,
                    Bytes.text(size) + " exceeds this machine's memory, " + Bytes.text(all) + "; ask for less");
        }
    }

    private HeapBuffer make(String name, long size, boolean exportable) {
        int fd = allocate(size);
        try {
            DmaBufName.set(syscalls, heap, fd, size, name);
            return new DmaHeapBuffer(syscalls, mmap, heap, fd, made(fd, size), exportable, mappable);
        } catch (RuntimeException | Error e) {
            syscalls.close(fd);
            throw e;
        }
    }

    private int allocate(long size) {
        int fd;
        int node = device.enter();
        try {
            fd = syscalls.dmaHeapAllocate(node, size, Fcntl.O_RDWR | Fcntl.O_CLOEXEC, 0);
        } finally {
            device.leave();
        }
        if (fd == -Errno.ENOMEM.number() && headroom == null) {
            throw ownMemoryIsShort(size);
        }
        if (fd < 0) {
            throw KernelError.of(heap, size, DmaBufDevices.HEAP_ALLOC, fd);
        }
        return fd;
    }

    private HeapException ownMemoryIsShort(long size) {
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                Bytes.text(size) + " is not free in one piece in the memory reserved for " + FOLDER + node
                        + "; ask for less, close buffers, or reserve more at boot (cma=, or the region in the device"
                        + " tree)");
    }

    /** Returns the size of the buffer, which the heap may have rounded up. */
    private long made(int fd, long size) {
        long made = syscalls.seekEnd(fd);
        if (made < 0) {
            throw KernelError.of(heap, size, "lseek", (int) made);
        }
        if (made < size) {
            throw HeapException.of(
                    Errno.EIO,
                    heap,
                    "the kernel returned a buffer of " + made + " bytes instead of " + size
                            + "; report that to the kernel's vendor");
        }
        return made;
    }
}
