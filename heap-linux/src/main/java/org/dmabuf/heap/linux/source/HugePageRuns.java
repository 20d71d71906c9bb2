// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.machine.HugePages;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Runs that are huge pages of the machine's pool. The kernel neither splits nor moves a pinned huge page. */
final class HugePageRuns implements Runs {
    /** Value of {@code heap.backend}. */
    static final String NAME = "huge-page";

    private final String heap;
    private final Headroom headroom;
    private final HugePages hugePages;
    private final Memfd memfd;
    private final boolean charged;

    HugePageRuns(String heap, Syscalls syscalls, Headroom headroom, HugePages hugePages) {
        this.heap = heap;
        this.headroom = headroom;
        this.hugePages = hugePages;
        this.memfd = new Memfd(syscalls);
        this.charged = hugePages.areCharged();
    }

    @Override
    public String backend() {
        return NAME;
    }

    @Override
    public NewMemfd make(String name) {
        hugePages.require(heap, PhysicalRun.BYTES, PhysicalRun.BYTES, "");
        if (!charged) {
            return take(name);
        }
        headroom.setAside().reserve(heap, PhysicalRun.BYTES);
        try {
            return take(name);
        } finally {
            headroom.setAside().settle(PhysicalRun.BYTES);
        }
    }

    private NewMemfd take(String name) {
        try {
            int flags = HugePages.flags(PhysicalRun.BYTES);
            return new NewMemfd(memfd.create(heap, name, PhysicalRun.BYTES, Memfd.F_SEAL_SEAL, flags), 0);
        } catch (HeapException e) {
            if (e.errno() != Errno.ENOMEM) {
                throw e;
            }
            throw HeapException.of(Errno.ENOMEM, heap, e.reason() + hugePages.otherLimit(PhysicalRun.BYTES), e);
        }
    }

    /** Kernels before 6.11 accept only small pages, or none of them since 6.5; the error number differs. */
    @Override
    public HeapException notPinned(HeapException e) {
        return e.errno().isTransient()
                ? e
                : HeapException.of(
                        Errno.ENOTSUP,
                        heap,
                        e.reason() + "; before Linux 6.11 the kernel may make no dma-buf of huge pages: use back end "
                                + LargeFolioRuns.NAME,
                        e);
    }

    /** Does nothing: the memfd is one huge page. */
    @Override
    public void requireOneRun(MemorySegment mapping) {}

    /** Counts no bytes: the pool has taken huge pages from the machine's memory already. */
    @Override
    public HeldMemory count(NewMemfd memfd) {
        return new HeldMemory(headroom, 0, new AtomicLong(), 0);
    }

    @Override
    public HeapUsage usage() {
        long free = hugePages.free(PhysicalRun.BYTES) * PhysicalRun.BYTES;
        return HeapUsage.unknown().withFree(free).withLargestFree(Math.min(free, PhysicalRun.BYTES));
    }
}
