// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.adopted;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.DmaBufExporter;
import org.dmabuf.heap.linux.kernel.DmaBufSync;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.MemoryKind;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.RepeatableRelease;

/**
 * Memory that another process made and sent, adopted as a buffer. An access to a removed page ends this process, and a
 * page that an access creates is charged to this process. By default only memory with fixed pages is accepted: a
 * dma-buf, or a memfd without holes that is sealed against shrinking and writing.
 *
 * <p>The kernel's heaps, udmabuf and video devices make the pages of a dma-buf together with it. A graphics driver
 * makes them at the first mapping and charges them to this process. The headroom therefore holds the whole size of such
 * a dma-buf until the release.
 *
 * <p>A memfd that is not sealed against writing is accepted only on request. Its sender can remove pages at any time
 * (FALLOC_FL_PUNCH_HOLE), and accesses here make new ones. The headroom therefore holds the whole size until the
 * release. Memory on huge pages is always refused.
 *
 * <p>The number of allocated blocks (st_blocks) does not prove completeness: a sender can allocate blocks beyond the
 * end to make up for missing ones.
 */
public final class AdoptedMemory implements HeapBuffer, RepeatableRelease {
    private static final String SEALING = "fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)";

    /** Either of these prevents every process, even of root, from punching holes; SHRINK and GROW do not. */
    private static final int WRITE_SEALS = Memfd.F_SEAL_WRITE | Memfd.F_SEAL_FUTURE_WRITE;

    /**
     * Properties that decide what the sender can still do: the seals of a memfd, or the exporter of a dma-buf.
     *
     * @param exporter of a dma-buf; unknown for a memfd
     */
    private record Offer(boolean dmaBuf, DmaBufExporter exporter, boolean writeSealed, int accessMode) {}

    private final Headroom headroom;
    private final Mmap mmap;
    private final Offer offer;
    private final long size;
    /** Bytes that are held in the headroom; 0 after the release. */
    private long held;

    private final DmaBufSync sync;
    private final OwnedFd descriptor;

    private AdoptedMemory(
            Headroom headroom, Mmap mmap, Offer offer, long size, long held, DmaBufSync sync, OwnedFd descriptor) {
        this.headroom = headroom;
        this.mmap = mmap;
        this.offer = offer;
        this.size = size;
        this.held = held;
        this.sync = sync;
        this.descriptor = descriptor;
    }

    /**
     * Adopts a descriptor after checking its kind. The check makes no call into a file system outside the kernel, so
     * that a file served by another process (FUSE) is refused without blocking.
     *
     * @param syscalls the kernel
     * @param headroom must have enough memory for a memfd whose pages can be removed, and for a dma-buf whose pages may
     *     be missing
     * @param unsealed whether to accept a memfd that has holes or whose pages can be removed
     * @param descriptor owned by this object after the call returns, by the caller after an exception
     * @param claim called with the size in bytes before the adoption; an exception that it throws refuses the memory
     * @return the memory, in its present size even if its sender extends the file later
     * @throws HeapException {@link Errno#EBADFD} for a file that is not shareable memory, {@link Errno#EPERM} for
     *     memory with holes or with removable pages, {@link Errno#EACCES} for a descriptor that cannot be read,
     *     {@link Errno#EINVAL} for an empty file, {@link Errno#ENOMEM} for more memory than the machine has
     */
    public static AdoptedMemory adopt(
            Syscalls syscalls, Headroom headroom, boolean unsealed, OwnedFd descriptor, LongConsumer claim) {
        int fd = descriptor.fd();
        Offer offer = requireSafe(syscalls, fd, unsealed);
        long size = offer.dmaBuf() ? require("lseek", syscalls.seekEnd(fd)) : require("statx", syscalls.size(fd));
        if (size == 0) {
            throw HeapException.of(Errno.EINVAL, "the memory has 0 bytes; its sender must set a size first");
        }
        boolean stays = offer.dmaBuf()
                ? offer.exporter().makesAllPages()
                : offer.writeSealed() && isComplete(syscalls, fd, size, unsealed);
        if (stays) {
            return taken(syscalls, headroom, offer, size, 0, descriptor, claim);
        }
        headroom.reserve("adopted", size);
        try {
            return taken(syscalls, headroom, offer, size, size, descriptor, claim);
        } finally {
            headroom.settle(size);
        }
    }

    /** Detaches the descriptor last, after everything that can fail. */
    private static AdoptedMemory taken(
            Syscalls syscalls,
            Headroom headroom,
            Offer offer,
            long size,
            long held,
            OwnedFd descriptor,
            LongConsumer claim) {
        claim.accept(size);
        headroom.hold(held);
        boolean adopted = false;
        try {
            OwnedFd own = OwnedFd.awaiting(syscalls::close, Optional.empty());
            AdoptedMemory memory = new AdoptedMemory(
                    headroom,
                    new Mmap(syscalls),
                    offer,
                    size,
                    held,
                    DmaBufSync.ofAdopted(syscalls, size, offer.exporter()),
                    own);
            own.own(descriptor.detach());
            adopted = true;
            return memory;
        } finally {
            if (!adopted) {
                headroom.release(held);
            }
        }
    }

    /** {@return whether it is a dma-buf, which devices can import; otherwise it is a memfd} */
    public boolean isDmaBuf() {
        return offer.dmaBuf();
    }

    /**
     * Returns whether every page exists. It is checked after the seals, which preserve the result. A page that was
     * allocated but neither written nor read counts as missing, because the kernel does not distinguish the two.
     */
    private static boolean isComplete(Syscalls syscalls, int fd, long size, boolean unsealed) {
        long hole = require("lseek(SEEK_HOLE)", syscalls.firstHole(fd));
        if (hole < size && !unsealed) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the memory of " + Bytes.text(size) + " has a hole at byte " + hole + ", and an access would"
                            + " allocate its pages at this process's expense; have its sender write to every page"
                            + " before it calls " + SEALING + ", or accept unsealed memory here (adopt.unsealed = true"
                            + " in org.dmabuf.heap.broker.cfg)");
        }
        return hole >= size;
    }

    private static Offer requireSafe(Syscalls syscalls, int fd, boolean unsealed) {
        MemoryKind kind = MemoryKind.of(syscalls, fd);
        boolean writeSealed = switch (kind) {
            case DMA_BUF -> false;
            case MEMFD -> requireSeals(syscalls, fd, unsealed);
            case HUGE_MEMFD ->
                // On huge pages SEEK_HOLE reports no holes, even if there are some.
                throw HeapException.of(
                        Errno.EPERM,
                        "the memory is on huge pages, and the kernel does not show whether all of them exist;"
                                + " send a memfd on ordinary pages, or a dma-buf");
            case OTHER ->
                throw HeapException.of(
                        Errno.EBADFD,
                        "the descriptor is not shareable memory; send a dma-buf, or a memfd sealed by " + SEALING);
        };
        int accessMode = require("fcntl(F_GETFL)", syscalls.fcntl(fd, Fcntl.F_GETFL, 0)) & Fcntl.O_ACCMODE;
        if (accessMode == Fcntl.O_WRONLY) {
            throw HeapException.of(Errno.EACCES, "the descriptor is open for writing only; open it for reading, too");
        }
        boolean dmaBuf = kind == MemoryKind.DMA_BUF;
        return new Offer(dmaBuf, dmaBuf ? DmaBufExporter.of(fd) : DmaBufExporter.UNKNOWN, writeSealed, accessMode);
    }

    /** {@return whether the memory is sealed against writing} */
    private static boolean requireSeals(Syscalls syscalls, int fd, boolean unsealed) {
        int seals = require("fcntl(F_GET_SEALS)", syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0));
        if ((seals & Memfd.F_SEAL_SHRINK) == 0) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the descriptor's memory lacks F_SEAL_SHRINK and could be shrunk, and an access beyond its new end"
                            + " would kill this process; have its sender call " + SEALING + " on a memfd made with"
                            + " MFD_ALLOW_SEALING");
        }
        boolean writeSealed = (seals & WRITE_SEALS) != 0;
        if (!writeSealed && !unsealed) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the descriptor's memory lacks F_SEAL_FUTURE_WRITE (or F_SEAL_WRITE), so its sender could punch"
                            + " holes, which an access would fill at this process's expense; have its sender write it"
                            + " and then call " + SEALING + " (with a gateway's heap: allocate with READ_ONLY,"
                            + " dmaheap:load --read-only), or accept unsealed memory here (adopt.unsealed = true in"
                            + " org.dmabuf.heap.broker.cfg)");
        }
        return writeSealed;
    }

    private static int require(String call, int result) {
        return (int) require(call, (long) result);
    }

    private static long require(String call, long result) {
        if (result < 0) {
            throw KernelError.of("", call, (int) result);
        }
        return result;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int descriptor() {
        return descriptor.fd();
    }

    @Override
    public MemorySegment map(Access access) {
        if (access.writes()) {
            requireWritable();
        }
        return mmap.map("", descriptor.fd(), size, access);
    }

    private void requireWritable() {
        if (offer.writeSealed()) {
            throw HeapException.of(
                    Errno.EPERM,
                    "adopted",
                    "the buffer of " + Bytes.text(size) + " cannot be mapped for writing: its sender"
                            + " sealed it against that; map it with READ");
        }
        if (offer.accessMode() != Fcntl.O_RDWR) {
            throw HeapException.of(
                    Errno.EACCES,
                    "adopted",
                    "the buffer of " + Bytes.text(size) + " cannot be mapped for writing: its"
                            + " descriptor is open for reading only; map it with READ");
        }
    }

    @Override
    public void unmap(MemorySegment mapping) {
        mmap.unmap(mapping);
    }

    @Override
    public void beginCpuAccess(Access access) {
        if (offer.dmaBuf()) {
            sync.begin(descriptor.fd(), access);
        }
    }

    @Override
    public void endCpuAccess(Access access) {
        if (offer.dmaBuf()) {
            sync.end(descriptor.fd(), access);
        }
    }

    @Override
    public void release() {
        descriptor.close();
        headroom.release(held);
        held = 0;
    }
}
