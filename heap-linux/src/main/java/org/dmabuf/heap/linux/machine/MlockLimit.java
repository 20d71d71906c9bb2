// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.linux.kernel.ProcFile;

/**
 * Limit on memory that this process keeps from being swapped out (RLIMIT_MEMLOCK), with what one heap has taken of it.
 * The kernel counts mappings: it forgets a buffer that is not mapped at the moment, and counts one twice that is mapped
 * twice. Here buffers are counted, so that the heap holds no more than the administrator allowed.
 *
 * <p>Any thread may call any method.
 */
public final class MlockLimit {
    static final long UNLIMITED = Long.MAX_VALUE;

    private static final int CAP_IPC_LOCK = 14; // lifts the limit in the initial user namespace, and in no other
    private static final String INITIAL_NAMESPACE = "user:[4026531837]"; // the kernel's fixed number of it

    private final long limit;
    private final AtomicLong taken = new AtomicLong();

    /** @param limit bytes, or {@link #UNLIMITED} */
    public MlockLimit(long limit) {
        this.limit = limit;
    }

    /**
     * {@return what this process may lock, as it is now; unlimited where {@code /proc} does not show it}
     *
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    public static MlockLimit ofThisProcess() {
        String limits = ProcFile.read(Path.of("/proc/self/limits")).orElse(""); // the kernel will refuse, not we
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
     * Reads the limit.
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
        String soft = field(limits, "Max locked memory");
        return soft.isEmpty() || soft.equals("unlimited") ? UNLIMITED : Long.parseLong(soft);
    }

    /** The first word after a label at the start of a line, empty when there is none. */
    private static String field(String text, String label) {
        return text.lines()
                .filter(line -> line.startsWith(label))
                .map(line -> line.substring(label.length()).strip().split("\\s+", 2)[0])
                .findFirst()
                .orElse("");
    }

    /** Takes bytes; false when there are not as many. */
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

    /** Gives bytes back that were taken. */
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

    /** {@return bytes that can still be taken} */
    public long left() {
        return Math.max(0, limit - taken.get());
    }
}
