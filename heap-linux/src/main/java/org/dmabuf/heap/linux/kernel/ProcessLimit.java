// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import java.util.OptionalLong;

/** A limit of this process (setrlimit(2)) that the kernel applies to its memory. */
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
        return limits.lines()
                .filter(line -> line.startsWith(label))
                .map(line -> line.substring(label.length()).strip().split("\\s+", 2)[0])
                .filter(soft -> !soft.equals("unlimited"))
                .mapToLong(Long::parseUnsignedLong)
                .map(bytes -> bytes < 0 ? Long.MAX_VALUE : bytes)
                .findFirst();
    }
}
