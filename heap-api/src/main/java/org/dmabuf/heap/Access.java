// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

/** Direction of an access: of a mapping, of a CPU access, or of an exported descriptor. */
public enum Access {
    /** Reads only. */
    READ(true, false),
    /**
     * Writes only. A mapping for WRITE can also be read, because processors have no write-only mappings. A CPU access
     * for WRITE does not make a device's writes visible to the CPU, so the content must not be read in it. An export
     * for WRITE does not exist.
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
