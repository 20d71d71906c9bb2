// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapUsage;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.kernel.Fcntl;
import org.dmabuf.heap.linux.kernel.KernelError;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.kernel.Pieces;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.source.MemfdUsage;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.source.RequestValidator;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * Source of secret memory, with one memfd_secret(2) for each buffer. Its pages are accessible only through mappings of
 * its descriptor, because the kernel removes them from its own map of memory. Therefore {@code /proc/PID/mem}, ptrace,
 * process_vm_readv, read(2) and core dumps cannot read them, not even for root. It only emulates protected memory: the
 * CPU can read it wherever it is mapped, and devices cannot import it.
 *
 * <p>The size can be set only once, even by its maker, and holes cannot be punched. So no holder can remove memory
 * under the mapping of another, although there are no seals. A descriptor cannot be reopened through {@code /proc}, so
 * there is no read-only export: each holder can write.
 */
public final class SecretSource implements MemorySource {
    private static final String ZEROS = "/dev/zero";
    private static final String SANDBOX = " in SystemCallFilter= of the unit, or in the container's seccomp profile";

    private final String heap;
    private final Syscalls syscalls;
    private final SecretCalls secrets;
    private final Headroom headroom;
    private final MlockLimit locked;
    private final Mmap mmap;
    private final RequestValidator validator;
    private final boolean mappable;

    private SecretSource(
            String heap,
            Syscalls syscalls,
            SecretCalls secrets,
            Headroom headroom,
            MlockLimit locked,
            boolean mappable) {
        this.heap = heap;
        this.syscalls = syscalls;
        this.secrets = secrets;
        this.headroom = headroom;
        this.locked = locked;
        this.mmap = new Mmap(syscalls);
        this.validator = new RequestValidator(heap, "each holder of secret memory can write to it");
        this.mappable = mappable;
    }

    /**
     * Opens secret memory of this machine.
     *
     * @param heap name of the heap, for refusals and for buffers without a name of their own
     * @param mappable whether this process may map it
     * @return a source, which the caller closes
     * @throws HeapException when the kernel does not support secret memory, or a resource is short
     */
    public static SecretSource open(String heap, boolean mappable) {
        return open(heap, Syscalls.linux(), Headroom.machine(), mappable);
    }

    /**
     * Opens a source, and tests with one page whether the kernel supports secret memory.
     *
     * @param heap name of the heap, for refusals
     * @param syscalls the kernel
     * @param headroom the machine's remaining memory
     * @param mappable whether this process may map buffers; if not, it can only make and send them
     * @return a source, which the caller closes
     * @throws HeapException when this kernel does not support secret memory, with the remedy
     */
    public static SecretSource open(String heap, Syscalls syscalls, Headroom headroom, boolean mappable) {
        return open(heap, syscalls, SecretCalls.linux(), headroom, MlockLimit.ofThisProcess(), mappable);
    }

    static SecretSource open(
            String heap,
            Syscalls syscalls,
            SecretCalls secrets,
            Headroom headroom,
            MlockLimit locked,
            boolean mappable) {
        SecretSource source = new SecretSource(heap, syscalls, secrets, headroom, locked, mappable);
        source.make(Bytes.PAGE, true).release();
        return source;
    }

    @Override
    public Map<String, Object> properties() {
        return Map.of(
                HeapProperties.BACKEND,
                "memfd_secret",
                HeapProperties.DMABUF,
                false,
                HeapProperties.PROTECTED,
                false,
                HeapProperties.EMULATES,
                List.of("protected"),
                HeapProperties.MAPPABLE,
                mappable,
                HeapProperties.CONTIGUOUS_MAX,
                Bytes.PAGE,
                HeapProperties.ALIGNMENT,
                Bytes.PAGE,
                HeapProperties.EXPORT_READONLY,
                validator.grantsReadOnlyExport());
    }

    @Override
    public HeapBuffer allocate(HeapRequest request) {
        long size = validator.wholePages(request);
        headroom.reserve(heap, size);
        try {
            return make(size, request.export() != ExportMode.NONE);
        } finally {
            headroom.settle(size);
        }
    }

    @Override
    public HeapUsage usage() {
        HeapUsage usage = MemfdUsage.of(headroom, Long.MAX_VALUE);
        if (!locked.isLimited()) {
            return usage;
        }
        long free = Math.min(usage.free().orElseThrow(), locked.left());
        HeapUsage limited = usage.withCapacity(locked.limit()).withFree(free);
        return usage.largestFree().isEmpty()
                ? limited
                : limited.withLargestFree(Math.min(usage.largestFree().getAsLong(), free));
    }

    /** Does nothing, because the source holds nothing between allocations. */
    @Override
    public void close() {}

    private SecretBuffer make(long size, boolean exportable) {
        if (!locked.take(size)) {
            throw overLimit(size, Bytes.text(locked.left()) + " left of " + Bytes.text(locked.limit()), null);
        }
        int fd = -1;
        boolean made = false;
        try {
            fd = secrets.memfdSecret(Fcntl.O_CLOEXEC);
            if (fd < 0) {
                throw notGiven(size, fd);
            }
            int sized = syscalls.ftruncate(fd, size);
            if (sized < 0) {
                throw KernelError.of(heap, size, "ftruncate", sized);
            }
            populate(fd, size);
            made = true;
            return new SecretBuffer(syscalls, mmap, locked, heap, fd, size, exportable, mappable);
        } finally {
            if (!made) {
                if (fd >= 0) {
                    syscalls.close(fd);
                }
                locked.giveBack(size);
            }
        }
    }

    /**
     * Allocates all pages of the file. Secret memory has no fallocate, and an access to a missing page would raise a
     * signal. A read(2) into the mapping allocates the pages, and only returns early if memory is short. The pages stay
     * when the mapping ends.
     */
    private void populate(int fd, long size) {
        int zeros = syscalls.open(ZEROS, Fcntl.O_CLOEXEC);
        if (zeros < 0) {
            throw KernelError.of(heap, size, "open of " + ZEROS, zeros);
        }
        try {
            long address = syscalls.mmap(0, size, Mmap.PROT_READ | Mmap.PROT_WRITE, Mmap.MAP_SHARED, fd, 0);
            if (address < 0) {
                throw notMapped(size, (int) address);
            }
            try {
                fill(zeros, address, size);
            } finally {
                syscalls.munmap(address, size);
            }
        } finally {
            syscalls.close(zeros);
        }
    }

    private void fill(int zeros, long address, long size) {
        for (long done = 0; done < size; ) {
            long read = syscalls.read(zeros, address + done, Pieces.next(heap, done, size));
            if (read > 0) {
                done += read; // a short read; the next call fails if there is a reason
            } else if (read == 0 || read == -Errno.EFAULT.number() || read == -Errno.ENOMEM.number()) {
                throw HeapException.of(
                        Errno.ENOMEM,
                        heap,
                        "the machine has memory for only " + Bytes.text(done) + " of a buffer of "
                                + Bytes.text(size) + "; ask for less, close buffers, or raise LimitMEMLOCK= in the unit"
                                + " or ulimit -l, which some kernels apply even with CAP_IPC_LOCK");
            } else if (read != -Errno.EINTR.number()) {
                throw KernelError.of(heap, size, "read of " + ZEROS, (int) read);
            }
        }
    }

    private HeapException notGiven(long size, int result) {
        String remedy = switch (Errno.of(-result)) {
            case ENOSYS ->
                "this kernel is older than 5.14 or has it disabled, or a sandbox refuses it; use 5.14 or later, which"
                        + " before 6.5 needs secretmem.enable=1 on the kernel's command line, and permit memfd_secret"
                        + SANDBOX;
            case EPERM, EACCES -> "a sandbox refuses it; permit memfd_secret" + SANDBOX;
            default -> "";
        };
        HeapException refusal = KernelError.of(heap, size, "memfd_secret", result);
        return remedy.isEmpty()
                ? refusal
                : HeapException.of(
                        refusal.errno(), heap, "memfd_secret refused a buffer of " + Bytes.text(size) + ": " + remedy);
    }

    private HeapException notMapped(long size, int result) {
        HeapException refusal = KernelError.of(heap, size, "mmap", result);
        return refusal.errno() == Errno.EAGAIN
                ? overLimit(size, "other mappings of this process use the rest", refusal)
                : KernelError.ofMapping(heap, refusal);
    }

    private HeapException overLimit(long size, String left, HeapException cause) {
        return HeapException.of(
                Errno.ENOMEM,
                heap,
                Bytes.text(size)
                        + " does not fit into the memory that this process may lock (RLIMIT_MEMLOCK): " + left
                        + "; raise LimitMEMLOCK= in the unit or ulimit -l, grant CAP_IPC_LOCK, or close buffers",
                cause);
    }
}
