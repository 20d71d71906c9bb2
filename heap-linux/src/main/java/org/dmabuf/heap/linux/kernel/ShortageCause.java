// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import java.util.OptionalLong;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Finder of the limit behind ENOMEM, which is the kernel's answer to several limits. It reads /proc, and assumes the
 * most common limit if that cannot be read. It joins texts for the reason that {@link KernelError} gives.
 */
final class ShortageCause {
    private static final String STRICT = "2";

    private final Path proc;

    /** @param proc mount point of the proc file system */
    ShortageCause(Path proc) {
        this.proc = proc;
    }

    /**
     * {@return the remedy for a mapping that does not fit}
     *
     * @param size bytes of the mapping
     */
    String remedyForMapping(long size) {
        try {
            OptionalLong limit = ProcessLimit.ADDRESS_SPACE.in(proc);
            if (limit.isPresent() && size > limit.getAsLong() - mapped()) {
                return String.join(
                        "",
                        "end arenas that are no longer needed, or raise the process's limit of address space, ",
                        "which is ",
                        Bytes.text(limit.getAsLong()),
                        " (LimitAS= in a unit, ulimit -v)");
            }
        } catch (HeapException e) {
            // No descriptor is left to read with.
        }
        return "end arenas that are no longer needed, or raise vm.max_map_count";
    }

    /** {@return the remedy for memory that does not fit} */
    String remedyForMemory() {
        try {
            if (read("sys/vm/overcommit_memory").strip().equals(STRICT)) {
                return "ask for less, close buffers, or raise what the machine may promise, which"
                        + " vm.overcommit_memory = 2 limits (vm.overcommit_ratio, or more swap)";
            }
        } catch (HeapException e) {
            // No descriptor is left to read with.
        }
        return "ask for less, close buffers, or raise a limit of the cgroup (memory.max, MemoryMax= in a unit)";
    }

    private long mapped() {
        String statm = read("self/statm");
        int end = statm.indexOf(' ');
        return end < 0 ? 0 : Long.parseLong(statm.substring(0, end)) * Bytes.PAGE;
    }

    private String read(String file) {
        return ProcFile.read(proc.resolve(file)).orElse("");
    }
}
