// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/** Maker of dma-bufs of ranges of memfds, by {@value DmaBufDevices#UDMABUF}, up to a size that the machine sets. */
public final class Udmabuf implements AutoCloseable {
    private static final long DEFAULT_LIMIT = 64L << 20; // since 4.20, where it could not be changed
    private static final int UDMABUF_FLAGS_CLOEXEC = 0x1;

    private final String heap;
    private final Syscalls syscalls;
    private final DeviceNode device;
    private final Path limitFile;
    private volatile long limit;

    private Udmabuf(String heap, Syscalls syscalls, DeviceNode device, Path limitFile) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.device = device;
        this.limitFile = limitFile;
        this.limit = readLimit(limitFile);
    }

    /**
     * Opens the device.
     *
     * @param heap named in refusals
     * @param syscalls the kernel
     * @param limitFile has the number of MiB that one dma-buf may have
     * @return to be closed
     * @throws HeapException the kernel's refusal, with the remedy
     */
    public static Udmabuf open(String heap, Syscalls syscalls, Path limitFile) {
        return new Udmabuf(heap, syscalls, DeviceNode.open(syscalls, heap, DmaBufDevices.UDMABUF), limitFile);
    }

    /** {@return the most bytes that one dma-buf may have, as far as it was last read} */
    public long limit() {
        return limit;
    }

    /**
     * Refuses what the kernel would refuse with a bare EINVAL, before memory is taken for it.
     *
     * @param size bytes
     * @throws HeapException {@link Errno#ENOMEM}: another heap can have room for it
     */
    public void requireWithinLimit(long size) {
        if (size > limit) {
            limit = readLimit(limitFile); // it may have been raised
            if (size > limit) {
                throw HeapException.of(
                        Errno.ENOMEM,
                        heap,
                        "" + size + " bytes are more than udmabuf takes in one buffer that can be"
                                + " exported, " + Bytes.text(limit) + "; write " + ((size - 1 >> 20) + 1) + " or more"
                                + " into " + DmaBufDevices.UDMABUF_SIZE_LIMIT
                                + " (udmabuf.size_limit_mb= at boot), ask for less, or with ExportMode.NONE");
            }
        }
    }

    /**
     * Finds out whether a holder can keep pages of a dma-buf when it has neither descriptor nor mapping any more, which
     * {@code count:} does not show. That was so before Linux 6.11, where the pages of a mapping could be spliced.
     *
     * @param dmaBuf of this device, stays the caller's
     * @return true also where it cannot be tried
     * @throws HeapException for want of descriptors or memory
     */
    public boolean lendsPages(int dmaBuf) {
        long address = syscalls.mmap(Bytes.PAGE, Mmap.PROT_READ, Mmap.MAP_SHARED, dmaBuf, 0);
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
     * Makes a dma-buf of a range.
     *
     * @param memfd sealed against shrinking and against nothing that concerns writing, every page of it touched
     * @param offset bytes, whole pages
     * @param size bytes, whole pages
     * @param name as the kernel shows it
     * @return its descriptor, which the caller owns; it holds the range's pages whatever becomes of the memfd
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
            return Math.max(0, Integer.parseInt(Files.readString(file).strip())) * (1L << 20);
        } catch (IOException | NumberFormatException e) {
            return DEFAULT_LIMIT;
        }
    }
}
