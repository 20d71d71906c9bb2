// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.util.List;

/** Process that holds one file by descriptors or mappings. Immutable. */
public final class Holder {
    private final int pid;
    private final String name;
    private final List<Integer> descriptors;
    private final int mappings;
    private final long mappedBytes;

    /**
     * Makes a holder.
     *
     * @param pid process id
     * @param name the process's own name
     * @param descriptors numbers of its descriptors of the file, in ascending order
     * @param mappings number of its mappings
     * @param mappedBytes bytes of these mappings
     */
    public Holder(int pid, String name, List<Integer> descriptors, int mappings, long mappedBytes) {
        this.pid = pid;
        this.name = name;
        this.descriptors = List.copyOf(descriptors);
        this.mappings = mappings;
        this.mappedBytes = mappedBytes;
    }

    /** {@return the process id} */
    public int pid() {
        return pid;
    }

    /** {@return the name that the process gave itself; it can contain any character} */
    public String name() {
        return name;
    }

    /** {@return numbers of its descriptors of the file, in ascending order} */
    public List<Integer> descriptors() {
        return descriptors;
    }

    /** {@return number of its mappings; the kernel divides a mapping whose parts have different protection} */
    public int mappings() {
        return mappings;
    }

    /** {@return bytes of these mappings} */
    public long mappedBytes() {
        return mappedBytes;
    }

    @Override
    public String toString() {
        return "process " + pid + " " + name + ", descriptors " + descriptors + ", mappings " + mappings;
    }
}
