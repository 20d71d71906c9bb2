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
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of memory from one of the kernel's own heaps, by its node below {@value #FOLDER}. Its buffers are dma-bufs,
 * which devices import. A holder of such a buffer's descriptor can write to it: there is no export for reading only.
 *
 * <p>The kernel makes and zeroes a buffer in one call, which cannot be split: an interrupt of the thread does not end
 * it.
 */
public final class DmaHeapSource implements MemorySource {
    /** Where the kernel's heaps have their nodes. */
    public static final String FOLDER = DmaBufDevices.HEAPS;

    /** Whether the kernel charges buffers to the cgroup. The parameter is in newer kernels only, and is read-only. */
    private static final Path ACCOUNTING = Path.of("/sys/module/dma_heap/parameters/mem_accounting");

    private final String heap;
    private final String node;
    private final Syscalls syscalls;
    /** Null for a heap that has memory of its own, apart from the machine's. */
    private final Headroom headroom;
    private final DeviceNode device;
    private final Mmap mmap;
    private final RequestValidator validator;
    private final boolean mappable;

    private DmaHeapSource(
            String heap, String node, Syscalls syscalls, Headroom headroom, DeviceNode device, boolean mappable) {
        this.heap = heap;
        this.node = node;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.device = device;
        this.mmap = new Mmap(syscalls);
        this.validator = new RequestValidator(heap, DmaBufDevices.WHY_NOT_READ_ONLY);
        this.mappable = mappable;
    }

    /**
     * Opens a heap of this machine's kernel, whose memory is the machine's.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node name below {@value #FOLDER}
     * @return a source, which the caller closes
     * @throws HeapException when there is no such node, it may not be opened, or the machine is short of something
     */
    public static DmaHeapSource open(String heap, String node) {
        return open(heap, node, Syscalls.linux(), Headroom.machine());
    }

    /**
     * Opens a heap of the kernel that takes its memory from the machine's, and tries on one page what it can do.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of it, below {@value #FOLDER}: for instance {@code system}
     * @param syscalls the kernel
     * @param headroom what the machine has left; the kernel asks its OOM killer for what it has not. The cgroup's limit
     *     counts only where the kernel charges such memory to it
     * @return a source, to be closed
     * @throws HeapException {@link Errno#ENOENT} where there is no such node, {@link Errno#EACCES} for one that this
     *     process may not open, {@link Errno#ENOTTY} for one that is no heap, {@link Errno#EINVAL} for a name that is
     *     none; any other as the kernel has it
     */
    public static DmaHeapSource open(String heap, String node, Syscalls syscalls, Headroom headroom) {
        return open(heap, node, syscalls, headroom, ACCOUNTING);
    }

    static DmaHeapSource open(String heap, String node, Syscalls syscalls, Headroom headroom, Path accounting) {
        boolean charged = ProcFile.read(accounting).map(String::strip).orElse("N").equals("Y");
        return openNode(heap, node, syscalls, charged ? Objects.requireNonNull(headroom) : headroom.uncharged(), false);
    }

    /**
     * Opens a heap of this machine's kernel that has memory of its own.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node name below {@value #FOLDER}
     * @return a source, which the caller closes
     * @throws HeapException when there is no such node, it may not be opened, or the heap is short of something
     */
    public static DmaHeapSource openWithOwnMemory(String heap, String node) {
        return openWithOwnMemory(heap, node, Syscalls.linux());
    }

    /**
     * Opens a heap of the kernel that has memory of its own, and tries on one page what it can do. What the machine has
     * left shows nothing of it: the kernel alone knows when it is full, and answers with {@link Errno#ENOMEM}.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of it, below {@value #FOLDER}: for instance {@code default_cma_region}
     * @param syscalls the kernel
     * @return a source, to be closed
     * @throws HeapException as {@link #open}
     */
    public static DmaHeapSource openWithOwnMemory(String heap, String node, Syscalls syscalls) {
        return openNode(heap, node, syscalls, null, false);
    }

    /**
     * Opens a heap of the kernel that has contiguous memory of its own, which the CPU maps. As
     * {@link #openWithOwnMemory}, but a heap that is full is opened, too: holders of its memory may give it back.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param node the kernel's name of it, below {@value #FOLDER}: for instance {@code default_cma_region}
     * @param syscalls the kernel
     * @return a source, to be closed
     * @throws HeapException as {@link #open}
     */
    public static DmaHeapSource openContiguous(String heap, String node, Syscalls syscalls) {
        return openNode(heap, node, syscalls, null, true);
    }

    private static DmaHeapSource openNode(
            String heap, String node, Syscalls syscalls, Headroom headroom, boolean evenFull) {
        if (node.isBlank() || node.contains("/") || node.contains("..")) {
            throw HeapException.of(
                    Errno.EINVAL,
                    heap,
                    "'" + node + "' is no name of a heap; give one of " + FOLDER
                            + ", without '/' and '..'");
        }
        DeviceNode device = DeviceNode.open(syscalls, heap, FOLDER + node);
        try {
            boolean mappable = new DmaHeapSource(heap, node, syscalls, headroom, device, true).probe(evenFull);
            return new DmaHeapSource(heap, node, syscalls, headroom, device, mappable);
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    /**
     * {@return whether the CPU can map a page of it}
     *
     * @param evenFull whether a heap that has no page free is taken for one that it can map
     */
    private boolean probe(boolean evenFull) {
        HeapBuffer page;
        try {
            // Without a look at the headroom: a machine that is short now is no machine without this heap.
            page = make(heap, Bytes.PAGE, true);
        } catch (HeapException e) {
            if (evenFull && e.errno() == Errno.ENOMEM) { // which is a heap's answer
                return true;
            }
            throw e;
        }
        try {
            page.beginCpuAccess(Access.READ_WRITE); // ENOTTY from what is no dma-buf
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
        return Map.of(
                HeapProperties.BACKEND, "dma-heap",
                HeapProperties.DMABUF, true,
                HeapProperties.CONTIGUOUS_MAX, Bytes.PAGE,
                HeapProperties.ALIGNMENT, Bytes.PAGE,
                HeapProperties.MAPPABLE, mappable,
                HeapProperties.EXPORT_READONLY, validator.grantsReadOnlyExport());
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

    /** {@return those of the machine alone where the kernel charges its memory to no cgroup} */
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

    /** The kernel knows best what its heap has, but is not asked for what no machine like this can have. */
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
                    "" + Bytes.text(size) + " are more than this machine's memory, "
                            + Bytes.text(all) + "; ask for less");
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
                "" + Bytes.text(size) + " are not free in one piece of the memory that is set"
                        + " aside for " + FOLDER + node + "; ask for less, close buffers, or set more aside at boot"
                        + " (cma=, or the region in the device tree)");
    }

    /** How far the heap rounded up. */
    private long made(int fd, long size) {
        long made = syscalls.seekEnd(fd);
        if (made < 0) {
            throw KernelError.of(heap, size, "lseek", (int) made);
        }
        if (made < size) {
            throw HeapException.of(
                    Errno.EIO,
                    heap,
                    "the kernel made " + made + " bytes of the " + size
                            + " that were asked for; report that to its vendor");
        }
        return made;
    }
}
