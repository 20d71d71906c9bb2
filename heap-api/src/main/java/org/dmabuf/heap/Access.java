// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** Direction of an access: of a mapping, of a CPU access, or of an exported descriptor. */
public enum Access {
    /** Reads only. */
    READ(true, false),
    /**
     * Writes only. As a CPU access it spares the device the work of making its writes visible first. A mapping for
     * WRITE can be read too, because no processor maps write-only; an export for WRITE does not exist.
     */
    WRITE(false, true),
    /** Reads and writes. */
    READ_WRITE(true, true);

    private final boolean reads;
    private final boolean writes;

    Access(boolean reads, boolean writes) {
        this.reads = reads;
        this.writes = writes;
    }

    /** {@return whether memory is read under this access} */
    public boolean reads() {
        return reads;
    }

    /** {@return whether memory is written under this access} */
    public boolean writes() {
        return writes;
    }
}
