// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How much memory this process may keep from being swapped out (RLIMIT_MEMLOCK), and how much of it one heap has taken.
 * The kernel counts mappings: it forgets a buffer that nobody has mapped at the moment, and counts one twice that is
 * mapped twice. Here buffers are counted, so that what the administrator allowed is what the heap holds.
 *
 * <p>Any thread may call any method.
 */
final class LockedMemory {
    static final long UNLIMITED = Long.MAX_VALUE;

    private static final int CAP_IPC_LOCK = 14; // who has it is under no limit

    private final long limit;
    private final AtomicLong taken = new AtomicLong();

    /** @param limit bytes, or {@link #UNLIMITED} */
    LockedMemory(long limit) {
        this.limit = limit;
    }

    /** {@return what this process may lock, as it is now; unlimited where {@code /proc} does not tell} */
    static LockedMemory ofThisProcess() {
        try {
            return new LockedMemory(limit(
                    Files.readString(Path.of("/proc/self/limits")), Files.readString(Path.of("/proc/self/status"))));
        } catch (IOException e) {
            return new LockedMemory(UNLIMITED); // the kernel will refuse, with less of a sentence
        }
    }

    /**
     * Reads the limit.
     *
     * @param limits content of {@code /proc/self/limits}
     * @param status content of {@code /proc/self/status}
     */
    static long limit(String limits, String status) {
        String capabilities = field(status, "CapEff:");
        if (!capabilities.isEmpty() && (Long.parseUnsignedLong(capabilities, 16) >> CAP_IPC_LOCK & 1) == 1) {
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
    boolean take(long bytes) {
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
    void giveBack(long bytes) {
        taken.addAndGet(-bytes);
    }

    boolean isLimited() {
        return limit != UNLIMITED;
    }

    long limit() {
        return limit;
    }

    long left() {
        return Math.max(0, limit - taken.get());
    }
}
