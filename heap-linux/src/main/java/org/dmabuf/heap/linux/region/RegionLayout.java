// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.Objects;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Layout of a region, in bytes. {@link RegionSource#open} and {@link EmulatedCmaSource#open} check it, and refuse a
 * choice that does not apply to them. Immutable: each {@code with} method returns another layout.
 */
public final class RegionLayout {
    /** Kind of an exported buffer. */
    public enum Exports {
        /** The first of the other kinds that the machine permits. */
        AUTO,
        /** A dma-buf of the buffer's range, made by {@value UdmabufSource#DEVICE}. */
        UDMABUF,
        /** A separate memfd; the buffer's range of the region stays empty. */
        MEMFD
    }

    private final long size;
    private final long pageSize;
    private final long granule;
    private final long chunk;
    private final long alignmentCap;
    private final Exports exports;
    private final boolean emulatingContiguous;
    private final String setting;

    private RegionLayout(
            long size,
            long pageSize,
            long granule,
            long chunk,
            long alignmentCap,
            Exports exports,
            boolean emulatingContiguous,
            String setting) {
        this.size = size;
        this.pageSize = pageSize;
        this.granule = granule;
        this.chunk = chunk;
        this.alignmentCap = alignmentCap;
        this.exports = Objects.requireNonNull(exports);
        this.emulatingContiguous = emulatingContiguous;
        this.setting = Objects.requireNonNull(setting);
    }

    /**
     * Returns a layout on ordinary pages, with the best kind of export that the machine permits.
     *
     * @param size bytes, whole pages
     * @param setting where an operator sets the size, for the remedy in error messages:
     *     {@code size in the heap's configuration}
     * @return a layout
     */
    public static RegionLayout of(long size, String setting) {
        return new RegionLayout(size, Bytes.PAGE, Bytes.PAGE, Bytes.PAGE, 0, Exports.AUTO, false, setting);
    }

    /**
     * Sets the page size of a {@link RegionSource}.
     *
     * @param bytes {@link Bytes#PAGE}, or the size of a huge page of this machine
     * @return a layout
     */
    public RegionLayout withPageSize(long bytes) {
        return new RegionLayout(size, bytes, granule, chunk, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Sets the granule of a {@link RegionSource}. A large granule wastes memory of the region, a small one needs more
     * memory of the Java heap.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withGranule(long bytes) {
        return new RegionLayout(size, pageSize, bytes, chunk, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Sets the chunk size of a {@link RegionSource}. As in ION's chunk heap, sizes are rounded up to whole chunks, and
     * the region does not fragment.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withChunk(long bytes) {
        return new RegionLayout(size, pageSize, granule, bytes, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Sets the largest alignment of an {@link EmulatedCmaSource}, which requires it. Buffers are aligned to the
     * smallest power of two that is at least their size, up to this limit.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withAlignmentCap(long bytes) {
        return new RegionLayout(size, pageSize, granule, chunk, bytes, exports, emulatingContiguous, setting);
    }

    /**
     * Sets the kind of exported buffers.
     *
     * @param kind the kind
     * @return a layout
     */
    public RegionLayout withExports(Exports kind) {
        return new RegionLayout(size, pageSize, granule, chunk, alignmentCap, kind, emulatingContiguous, setting);
    }

    /**
     * Announces the region as emulated contiguous memory if it is not contiguous. A broker then uses it only for
     * requests that accept the emulation. An {@link EmulatedCmaSource} is always announced so.
     *
     * @return a layout
     */
    public RegionLayout withContiguousEmulated() {
        return new RegionLayout(size, pageSize, granule, chunk, alignmentCap, exports, true, setting);
    }

    /** {@return bytes of the region} */
    public long size() {
        return size;
    }

    /** {@return bytes of a page} */
    public long pageSize() {
        return pageSize;
    }

    long granule() {
        return Math.max(granule, chunk);
    }

    long chunk() {
        return chunk;
    }

    Exports exports() {
        return exports;
    }

    boolean emulatesContiguous() {
        return emulatingContiguous;
    }

    String setting() {
        return setting;
    }

    /** {@return bytes, 0 if not set} */
    long alignmentCap() {
        return alignmentCap;
    }

    /** {@return a size rounded up to whole chunks} */
    long wholeChunks(long bytes) {
        return Math.min(bytes, Long.MAX_VALUE - chunk) + chunk - 1 & -chunk;
    }

    /** @throws HeapException {@link Errno#EINVAL} for a layout that a {@link RegionSource} does not support */
    void requireReservable(String heap) {
        if (!isSize(chunk)) {
            throw refusal(
                    heap, "invalid chunk = " + chunk + ": expected a power of two of at least a page, " + Bytes.PAGE);
        }
        if (alignmentCap != 0) {
            throw refusal(
                    heap,
                    "invalid alignment cap = " + alignmentCap + ": expected none, because only EmulatedCmaSource has"
                            + " one");
        }
    }

    /** @throws HeapException {@link Errno#EINVAL} for a layout that an {@link EmulatedCmaSource} does not support */
    void requireEmulatable(String heap) {
        if (!isSize(alignmentCap)) {
            throw refusal(
                    heap,
                    "invalid alignment cap = " + alignmentCap + ": expected a power of two of at least a page, "
                            + Bytes.PAGE);
        }
        if (isOnHugePages() || granule() != Bytes.PAGE) {
            throw refusal(
                    heap,
                    "invalid layout of an emulated contiguous heap: expected pages of " + Bytes.PAGE
                            + " bytes, and neither chunks nor granules of another size");
        }
    }

    private static boolean isSize(long bytes) {
        return bytes >= Bytes.PAGE && Long.bitCount(bytes) == 1;
    }

    private static HeapException refusal(String heap, String sentence) {
        return HeapException.of(Errno.EINVAL, heap, "" + sentence);
    }

    boolean isOnHugePages() {
        return pageSize != Bytes.PAGE;
    }
}
