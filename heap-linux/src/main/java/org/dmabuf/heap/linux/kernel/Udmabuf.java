// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/** Maker of dma-bufs from ranges of memfds by {@value DmaBufDevices#UDMABUF}, up to a size limit of the machine. */
public final class Udmabuf implements AutoCloseable {
    private static final long DEFAULT_LIMIT = 64L << 20; // from 4.20 on; not configurable there
    private static final int UDMABUF_FLAGS_CLOEXEC = 0x1;

    private final String heap;
    private final Syscalls syscalls;
    private final DeviceNode device;
    private final Path limitFile;
    private volatile long limit;

    private Udmabuf(String heap, Syscalls syscalls, DeviceNode device, Path limitFile, long limit) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.device = device;
        this.limitFile = limitFile;
        this.limit = limit;
    }

    /**
     * Opens the device.
     *
     * @param heap named in refusals
     * @param syscalls the kernel
     * @param limitFile file with the size limit of one dma-buf in MiB
     * @return the open device, which the caller closes
     * @throws HeapException the kernel's refusal, with the remedy
     */
    public static Udmabuf open(String heap, Syscalls syscalls, Path limitFile) {
        long limit = readLimit(limitFile); // first, because it can fail
        return new Udmabuf(heap, syscalls, DeviceNode.open(syscalls, heap, DmaBufDevices.UDMABUF), limitFile, limit);
    }

    /**
     * Tests on a page of its own whether dma-bufs can be made, and whether no holder can keep their pages undetected.
     *
     * @param heap named in the kernel's list of memory
     * @param syscalls the kernel
     * @return whether both is true; false if the device cannot be used
     * @throws HeapException when a resource is short, so that this cannot be tested now
     */
    public static boolean isSafe(String heap, Syscalls syscalls) {
        try (Udmabuf device = open(heap, syscalls, Path.of(DmaBufDevices.UDMABUF_SIZE_LIMIT))) {
            int page = new Memfd(syscalls).create(heap, heap, Bytes.PAGE, Memfd.F_SEAL_SEAL);
            try {
                int dmaBuf = device.create(page, 0, Bytes.PAGE, heap);
                try {
                    return !device.lendsPages(dmaBuf);
                } finally {
                    syscalls.close(dmaBuf);
                }
            } finally {
                syscalls.close(page);
            }
        } catch (HeapException e) {
            if (e.errno().isTransient()) {
                throw e;
            }
            return false;
        }
    }

    /**
     * {@return the size limit of one dma-buf in bytes, read again, because an operator can change it; the former limit
     * while no descriptor is left to read it}
     */
    public long limit() {
        try {
            limit = readLimit(limitFile);
        } catch (HeapException e) {
            // A shortage changes no limit.
        }
        return limit;
    }

    /**
     * Checks the size limit before memory is allocated. The kernel would only return EINVAL.
     *
     * @param size bytes
     * @throws HeapException {@link Errno#ENOMEM}, because another heap may be able to serve the request; another
     *     shortage if the limit cannot be read
     */
    public void requireWithinLimit(long size) {
        if (size > limit) {
            limit = readLimit(limitFile); // it may have been raised
            if (size > limit) {
                throw HeapException.of(
                        Errno.ENOMEM,
                        heap,
                        size + " bytes exceed udmabuf's limit for one exportable buffer, " + Bytes.text(limit)
                                + "; write " + ((size - 1 >> 20) + 1) + " or more into "
                                + DmaBufDevices.UDMABUF_SIZE_LIMIT
                                + " (udmabuf.size_limit_mb= at boot), ask for less, or use ExportMode.NONE");
            }
        }
    }

    /**
     * Tests whether a holder can keep pages of a dma-buf without a descriptor or mapping, which {@code count:} does not
     * show. It can before Linux 6.11, by splicing the pages of a mapping.
     *
     * @param dmaBuf a dma-buf of this device, which the caller keeps
     * @return whether pages can be kept; true if it cannot be tested
     * @throws HeapException for lack of descriptors or memory
     */
    public boolean lendsPages(int dmaBuf) {
        long address = syscalls.mmap(0, Bytes.PAGE, Mmap.PROT_READ, Mmap.MAP_SHARED, dmaBuf, 0);
        if (address < 0) {
            throw KernelError.of(heap, Bytes.PAGE, "mmap", (int) address);
        }
        try {
            int spliced = syscalls.canSplice(address);
            if (spliced < 0 && Errno.of(-spliced).isTransient()) {
                throw KernelError.of(heap, "pipe2", spliced);
            }
            return spliced != 0;
        } finally {
            syscalls.munmap(address, Bytes.PAGE);
        }
    }

    /**
     * Makes a dma-buf from a range of a memfd.
     *
     * @param memfd sealed against shrinking, without any seal against writing, and with every page touched
     * @param offset bytes, whole pages
     * @param size bytes, whole pages
     * @param name name that the kernel shows
     * @return its descriptor, which the caller owns; it keeps the pages of the range independently of the memfd
     * @throws HeapException the kernel's refusal; nothing is held
     */
    public int create(int memfd, long offset, long size, String name) {
        int dmaBuf;
        int node = device.enter();
        try {
            dmaBuf = syscalls.udmabufCreate(node, memfd, UDMABUF_FLAGS_CLOEXEC, offset, size);
        } finally {
            device.leave();
        }
        if (dmaBuf < 0) {
            throw KernelError.of(heap, size, DmaBufDevices.UDMABUF_CREATE, dmaBuf);
        }
        try {
            DmaBufName.set(syscalls, heap, dmaBuf, size, name);
        } catch (RuntimeException | Error e) {
            syscalls.close(dmaBuf);
            throw e;
        }
        return dmaBuf;
    }

    @Override
    public void close() {
        device.close();
    }

    private static long readLimit(Path file) {
        try {
            return Math.max(0, Integer.parseInt(ProcFile.read(file).orElse("").strip())) * (1L << 20);
        } catch (NumberFormatException e) {
            return DEFAULT_LIMIT;
        }
    }
}
