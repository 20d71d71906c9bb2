// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * A limit of this process (setrlimit(2)) that the kernel applies to its memory. The reading uses neither streams nor
 * concatenations, because there may be no memory for their classes at the limit.
 */
public enum ProcessLimit {
    /** Largest file in bytes (RLIMIT_FSIZE), which applies to memfds. */
    FILE_SIZE("Max file size"),
    /** Bytes of mappings (RLIMIT_AS). */
    ADDRESS_SPACE("Max address space"),
    /** Bytes of locked mappings (RLIMIT_MEMLOCK). */
    LOCKED_MEMORY("Max locked memory");

    private final String label;

    ProcessLimit(String label) {
        this.label = label;
    }

    /**
     * {@return the limit that applies now; empty without a limit, or if {@code /proc} does not
     * show it}
     *
     * @throws org.dmabuf.heap.HeapException when the process has no descriptor left to read with
     */
    public OptionalLong now() {
        return in(Path.of("/proc"));
    }

    OptionalLong in(Path proc) {
        return of(ProcFile.read(proc.resolve("self/limits")).orElse(""));
    }

    /**
     * {@return the limit in a list, empty without a limit}
     *
     * @param limits content of {@code /proc/self/limits}
     */
    public OptionalLong of(String limits) {
        int at = limits.startsWith(label) ? 0 : limits.indexOf("\n".concat(label)) + 1;
        if (at == 0 && !limits.startsWith(label)) {
            return OptionalLong.empty();
        }
        int from = at + label.length();
        while (limits.startsWith(" ", from)) {
            from++;
        }
        int end = limits.indexOf(' ', from);
        String soft = end < 0 ? "unlimited" : limits.substring(from, end);
        if (soft.equals("unlimited")) {
            return OptionalLong.empty();
        }
        long bytes = Long.parseUnsignedLong(soft);
        return OptionalLong.of(bytes < 0 ? Long.MAX_VALUE : bytes);
    }
}
