// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.linux.kernel.ProcFile;
import org.dmabuf.heap.linux.kernel.ProcessLimit;

/**
 * Limit of memory that this process locks against swapping (RLIMIT_MEMLOCK), with the share that one heap has used. The
 * kernel counts mappings: a buffer without a mapping does not count, and a buffer with two mappings counts twice. This
 * class counts buffers, so that the heap locks no more than the administrator permitted.
 *
 * <p>Any thread may call any method.
 */
public final class MlockLimit {
    static final long UNLIMITED = Long.MAX_VALUE;

    private static final int CAP_IPC_LOCK = 14; // removes the limit, but only in the initial user namespace
    private static final String INITIAL_NAMESPACE = "user:[4026531837]"; // fixed number in the kernel

    private final long limit;
    private final AtomicLong taken = new AtomicLong();

    /** @param limit bytes, or {@link #UNLIMITED} */
    public MlockLimit(long limit) {
        this.limit = limit;
    }

    /**
     * {@return the current limit of this process; unlimited if {@code /proc} does not show it}
     *
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    public static MlockLimit ofThisProcess() {
        String limits = ProcFile.read(Path.of("/proc/self/limits")).orElse(""); // the kernel still refuses
        String status = ProcFile.read(Path.of("/proc/self/status")).orElse("");
        return new MlockLimit(limit(limits, status, userNamespace()));
    }

    private static String userNamespace() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/ns/user")).toString();
        } catch (IOException e) {
            return INITIAL_NAMESPACE; // a kernel without user namespaces
        }
    }

    /**
     * Parses the limit.
     *
     * @param limits content of {@code /proc/self/limits}
     * @param status content of {@code /proc/self/status}
     * @param namespace target of {@code /proc/self/ns/user}
     */
    public static long limit(String limits, String status, String namespace) {
        String capabilities = field(status, "CapEff:");
        if (namespace.equals(INITIAL_NAMESPACE)
                && !capabilities.isEmpty()
                && (Long.parseUnsignedLong(capabilities, 16) >> CAP_IPC_LOCK & 1) == 1) {
            return UNLIMITED;
        }
        return ProcessLimit.LOCKED_MEMORY.of(limits).orElse(UNLIMITED);
    }

    /** Returns the first word after a label at the start of a line, empty without such a line. */
    private static String field(String text, String label) {
        return text.lines()
                .filter(line -> line.startsWith(label))
                .map(line -> line.substring(label.length()).strip().split("\\s+", 2)[0])
                .findFirst()
                .orElse("");
    }

    /** Takes bytes of the limit. {@return false if fewer are left} */
    public boolean take(long bytes) {
        long before;
        do {
            before = taken.get();
            if (bytes > limit - before) {
                return false;
            }
        } while (!taken.compareAndSet(before, before + bytes));
        return true;
    }

    /** Gives back bytes that were taken. */
    public void giveBack(long bytes) {
        taken.addAndGet(-bytes);
    }

    /** {@return whether there is a limit} */
    public boolean isLimited() {
        return limit != UNLIMITED;
    }

    /** {@return bytes, {@link #UNLIMITED} without a limit} */
    public long limit() {
        return limit;
    }

    /** {@return bytes that are left} */
    public long left() {
        return Math.max(0, limit - taken.get());
    }
}
