// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.util.Objects;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.spi.HeapRequest;

/**
 * A request for calling an exporter directly, without a broker that would check it first. Immutable: each method with a
 * parameter returns another request. Nothing is checked here, so that a test can ask for nonsense.
 */
public final class ContractRequest implements HeapRequest {
    private final long size;
    private final long alignment;
    private final long heapFlags;
    private final boolean exportable;
    private final Access exports;
    private final String name;

    private ContractRequest(
            long size, long alignment, long heapFlags, boolean exportable, Access exports, String name) {
        this.size = size;
        this.alignment = alignment;
        this.heapFlags = heapFlags;
        this.exportable = exportable;
        this.exports = exports;
        this.name = name;
    }

    /**
     * A request as a client makes it that says nothing but how much.
     *
     * @param size bytes
     * @return exportable for reading and writing, any alignment, no flags, no name
     */
    public static ContractRequest of(long size) {
        return new ContractRequest(size, 1, 0, true, Access.READ_WRITE, "");
    }

    /**
     * Changes the alignment.
     *
     * @param bytes alignment
     * @return a request
     */
    public ContractRequest alignment(long bytes) {
        return new ContractRequest(size, bytes, heapFlags, exportable, exports, name);
    }

    /**
     * Changes the heap's own flags.
     *
     * @param flags bits
     * @return a request
     */
    public ContractRequest heapFlags(long flags) {
        return new ContractRequest(size, alignment, flags, exportable, exports, name);
    }

    /**
     * Changes whether a descriptor will be wanted.
     *
     * @param wanted whether
     * @return a request
     */
    public ContractRequest exportable(boolean wanted) {
        return new ContractRequest(size, alignment, heapFlags, wanted, exports, name);
    }

    /**
     * Changes what the receiver of a descriptor may do.
     *
     * @param access direction
     * @return a request
     */
    public ContractRequest exports(Access access) {
        return new ContractRequest(size, alignment, heapFlags, exportable, Objects.requireNonNull(access), name);
    }

    /**
     * Changes the name.
     *
     * @param text for people
     * @return a request
     */
    public ContractRequest name(String text) {
        return new ContractRequest(size, alignment, heapFlags, exportable, exports, Objects.requireNonNull(text));
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long alignment() {
        return alignment;
    }

    @Override
    public long heapFlags() {
        return heapFlags;
    }

    @Override
    public boolean exportable() {
        return exportable;
    }

    @Override
    public Access exports() {
        return exports;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String toString() {
        return "a request for " + size + " bytes"
                + (alignment == 1 ? "" : ", aligned to " + alignment)
                + (heapFlags == 0 ? "" : ", heap flags 0x" + Long.toHexString(heapFlags))
                + (exportable ? ", exportable for " + exports : ", not exportable")
                + (name.isEmpty() ? "" : ", named '" + name + "'");
    }
}
