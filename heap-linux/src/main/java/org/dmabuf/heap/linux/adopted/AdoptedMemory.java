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
 * Memory that another process made and handed over. An access to a page that is gone ends this process, and a page that
 * is made by an access is charged to this process. By default only memory is accepted whose pages cannot be taken away:
 * a dma-buf, or a memfd that is sealed against shrinking and writing and has no hole.
 *
 * <p>The pages of a dma-buf are made with it by the kernel's heaps, by udmabuf and by video devices. A graphics driver
 * makes them at the first mapping, and charges them to this process: the whole size of every other dma-buf is held in
 * the headroom until the release.
 *
 * <p>A memfd that is not sealed against writing can be accepted on request. Its sender can remove its pages at any time
 * (FALLOC_FL_PUNCH_HOLE), so that accesses make them anew here: the whole size is held in the headroom until the
 * release. Memory on huge pages is refused in any case.
 *
 * <p>The figure of allocated blocks (st_blocks) is not asked for: a sender can allocate blocks beyond the end, which
 * make up for missing ones.
 */
public final class AdoptedMemory implements HeapBuffer, RepeatableRelease {
    private static final String SEALING = "fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)";

    /** Either keeps every process from punching holes, root too; SHRINK and GROW do not. */
    private static final int WRITE_SEALS = Memfd.F_SEAL_WRITE | Memfd.F_SEAL_FUTURE_WRITE;

    /**
     * What the sender can still do: by a memfd's seals, or by a dma-buf's exporter.
     *
     * @param exporter of a dma-buf; unknown for a memfd
     */
    private record Offer(boolean dmaBuf, DmaBufExporter exporter, boolean writeSealed, int accessMode) {}

    private final Headroom headroom;
    private final Mmap mmap;
    private final Offer offer;
    private final long size;
    /** Bytes that are held in the headroom; 0 from the release on. */
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
     * Takes over a descriptor after looking at what it is. No file system but those of the kernel's own memory is
     * asked, so a descriptor of a file that another process serves (FUSE) is refused without a wait.
     *
     * @param syscalls the kernel
     * @param headroom must have room for all of a memfd that can lose pages, and of a dma-buf that can lack them
     * @param unsealed whether a memfd is accepted that can lose pages or has holes
     * @param descriptor this object's when the call returns, the caller's when it throws
     * @param claim is given the bytes that are about to be adopted; an exception of it refuses them
     * @return the memory; what its sender adds to it from now on is no part of it
     * @throws HeapException {@link Errno#EBADFD} for what is no memory to share, {@link Errno#EPERM} for what could be
     *     taken away or has holes, {@link Errno#EACCES} for what cannot be read, {@link Errno#EINVAL} for no bytes,
     *     {@link Errno#ENOMEM} for more than the machine has
     */
    public static AdoptedMemory adopt(
            Syscalls syscalls, Headroom headroom, boolean unsealed, OwnedFd descriptor, LongConsumer claim) {
        int fd = descriptor.fd();
        Offer offer = requireSafe(syscalls, fd, unsealed);
        long size = offer.dmaBuf() ? require("lseek", syscalls.seekEnd(fd)) : require("statx", syscalls.size(fd));
        if (size == 0) {
            throw HeapException.of(Errno.EINVAL, "the descriptor has no bytes; its sender makes it larger first");
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

    /** The descriptor is detached last: everything that can fail comes before. */
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

    /** {@return whether it is a real dma-buf, which devices import; else it is a memfd} */
    public boolean isDmaBuf() {
        return offer.dmaBuf();
    }

    /**
     * Whether every page exists. Asked after the seals, which keep it so. A page that was only allocated, and neither
     * written nor read, counts as missing: the kernel does not distinguish them.
     */
    private static boolean isComplete(Syscalls syscalls, int fd, long size, boolean unsealed) {
        long hole = require("lseek(SEEK_HOLE)", syscalls.firstHole(fd));
        if (hole < size && !unsealed) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the memory of " + Bytes.text(size) + " has a hole at byte " + hole + ", and an access would make"
                            + " its pages on this process's account; its sender writes to every page before it calls "
                            + SEALING + ", or this side accepts unsealed memory (adopt.unsealed = true in"
                            + " org.dmabuf.heap.broker.cfg)");
        }
        return hole >= size;
    }

    private static Offer requireSafe(Syscalls syscalls, int fd, boolean unsealed) {
        MemoryKind kind = MemoryKind.of(syscalls, fd);
        boolean writeSealed =
                switch (kind) {
                    case DMA_BUF -> false;
                    case MEMFD -> requireSeals(syscalls, fd, unsealed);
                    case HUGE_MEMFD ->
                        // SEEK_HOLE shows nothing of it: the file counts as without holes.
                        throw HeapException.of(
                                Errno.EPERM,
                                "the descriptor is of huge pages, and whether all of them exist cannot be found out;"
                                        + " hand over a memfd of ordinary pages, or a dma-buf");
                    case OTHER ->
                        throw HeapException.of(
                                Errno.EBADFD,
                                "the descriptor is no memory to share; hand over a dma-buf, or a memfd sealed by "
                                        + SEALING);
                };
        int accessMode = require("fcntl(F_GETFL)", syscalls.fcntl(fd, Fcntl.F_GETFL, 0)) & Fcntl.O_ACCMODE;
        if (accessMode == Fcntl.O_WRONLY) {
            throw HeapException.of(
                    Errno.EACCES, "the descriptor is open for writing only; it must be readable");
        }
        boolean dmaBuf = kind == MemoryKind.DMA_BUF;
        return new Offer(dmaBuf, dmaBuf ? DmaBufExporter.of(fd) : DmaBufExporter.UNKNOWN, writeSealed, accessMode);
    }

    /** {@return whether it is sealed against writing} */
    private static boolean requireSeals(Syscalls syscalls, int fd, boolean unsealed) {
        int seals = require("fcntl(F_GET_SEALS)", syscalls.fcntl(fd, Memfd.F_GET_SEALS, 0));
        if ((seals & Memfd.F_SEAL_SHRINK) == 0) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the descriptor's memory lacks F_SEAL_SHRINK and could be shrunk, and an access to what is gone"
                            + " ends this process; its sender calls " + SEALING + " on a memfd made with"
                            + " MFD_ALLOW_SEALING");
        }
        boolean writeSealed = (seals & WRITE_SEALS) != 0;
        if (!writeSealed && !unsealed) {
            throw HeapException.of(
                    Errno.EPERM,
                    "the descriptor's memory lacks F_SEAL_FUTURE_WRITE (or F_SEAL_WRITE), so its sender could punch"
                            + " holes, which an access fills on this process's account; its sender writes it, then"
                            + " calls " + SEALING + "; a sender with this gateway's heaps allocates with READ_ONLY"
                            + " (dmaheap:load --read-only); or this side accepts unsealed memory (adopt.unsealed = true"
                            + " in org.dmabuf.heap.broker.cfg)");
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
