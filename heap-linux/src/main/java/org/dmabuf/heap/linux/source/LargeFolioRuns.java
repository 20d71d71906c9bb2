// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.source;

import java.lang.foreign.MemorySegment;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.HeldMemory;
import org.dmabuf.heap.linux.kernel.LargeFolios;
import org.dmabuf.heap.linux.kernel.Memfd;
import org.dmabuf.heap.linux.kernel.NewMemfd;
import org.dmabuf.heap.linux.kernel.PhysicalRun;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Runs that are large folios of ordinary memory. The kernel may split a folio until a driver has pinned it. Afterwards
 * this class checks that it has not.
 */
final class LargeFolioRuns implements Runs {
    /** Value of {@code heap.backend}. */
    static final String NAME = "large-folio";

    private static final String RUN = Bytes.text(PhysicalRun.BYTES);

    private final String heap;
    private final Syscalls syscalls;
    private final Headroom headroom;
    private final LargeFolios folios;
    private final Memfd memfd;
    private final PhysicalRun physicalRun;

    LargeFolioRuns(String heap, Syscalls syscalls, Headroom headroom, LargeFolios folios) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.headroom = headroom;
        this.folios = folios;
        this.memfd = new Memfd(syscalls);
        this.physicalRun = new PhysicalRun(syscalls);
    }

    @Override
    public String backend() {
        return NAME;
    }

    @Override
    public NewMemfd make(String name) {
        headroom.reserve(heap, PhysicalRun.BYTES);
        try {
            NewMemfd made = memfd.create(heap, name, PhysicalRun.BYTES, Memfd.F_SEAL_SEAL, folios);
            if (made.inLargeFolios() < PhysicalRun.BYTES) {
                syscalls.close(made.fd());
                throw noFolio();
            }
            return made;
        } finally {
            headroom.settle(PhysicalRun.BYTES);
        }
    }

    private HeapException noFolio() {
        if (folios.size() != PhysicalRun.BYTES || folios.lastError() == -Errno.EINVAL.number()) {
            return HeapException.of(
                    Errno.ENOTSUP,
                    heap,
                    "the kernel makes no large folio of " + RUN
                            + "; use Linux 6.1 or newer whose large folios have that"
                            + " size and are not switched off (shmem_enabled = deny or never, THP_enabled: 0 of the"
                            + " process), or back end " + HugePageRuns.NAME);
        }
        if (folios.lastError() == -Errno.EAGAIN.number()) {
            return HeapException.of(
                    Errno.ENOMEM, heap, "the kernel was using a page of the run of " + RUN + "; repeat the request");
        }
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                "the machine has no run of " + RUN + ", since its memory is fragmented; repeat the request later, write"
                        + " 1 into /proc/sys/vm/compact_memory, or use back end " + HugePageRuns.NAME);
    }

    @Override
    public void requireOneRun(MemorySegment mapping) {
        switch (physicalRun.check(heap, mapping)) {
            case ONE -> {}
            case SEVERAL ->
                throw HeapException.of(
                        Errno.ENOMEM,
                        heap,
                        "the memory was not one run of " + RUN + " when it was pinned; repeat the request");
            case HIDDEN ->
                throw HeapException.of(
                        Errno.ENOTSUP,
                        heap,
                        "the kernel does not show whether memory is one run; use Linux 6.7 or newer, grant the process"
                                + " CAP_SYS_ADMIN, or use back end " + HugePageRuns.NAME);
        }
    }

    @Override
    public HeldMemory count(NewMemfd made) {
        return new HeldMemory(headroom, PhysicalRun.BYTES, folios.held(), made.inLargeFolios());
    }

    @Override
    public HeapUsage usage() {
        return MemfdUsage.of(headroom, PhysicalRun.BYTES)
                .withInLargeFolios(folios.held().get());
    }
}
