// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.Objects;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.source.UdmabufSource;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * Layout of a region to be opened, in bytes. Nothing is checked before {@link RegionSource#open} or
 * {@link EmulatedCmaSource#open}: each refuses what was chosen and does not apply to it. Immutable: each {@code with}
 * method returns another.
 */
public final class RegionLayout {
    /** What an exported buffer is to be. */
    public enum Exports {
        /** The first of the others that the machine permits. */
        AUTO,
        /** A dma-buf of the buffer's own range of the region, by {@value UdmabufSource#DEVICE}. */
        UDMABUF,
        /** A memfd of its own, for which a range of the region stays empty. */
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
     * A region on ordinary pages, exported as well as the machine permits.
     *
     * @param size bytes, whole pages
     * @param setting where a person sets the size, for the remedy in refusals: {@code size in the heap's configuration}
     * @return a layout
     */
    public static RegionLayout of(long size, String setting) {
        return new RegionLayout(size, Bytes.PAGE, Bytes.PAGE, Bytes.PAGE, 0, Exports.AUTO, false, setting);
    }

    /**
     * Chooses the pages of a {@link RegionSource}.
     *
     * @param bytes {@link Bytes#PAGE}, or the size of a huge page of this machine
     * @return a layout
     */
    public RegionLayout withPageSize(long bytes) {
        return new RegionLayout(size, bytes, granule, chunk, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Chooses how fine the books of a {@link RegionSource} are: a coarse granule costs memory of the region, a fine one
     * memory of Java's heap.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withGranule(long bytes) {
        return new RegionLayout(size, pageSize, bytes, chunk, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Gives whole chunks of a {@link RegionSource}, as ION's chunk heap: sizes are rounded up to them, and the region
     * does not fragment.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withChunk(long bytes) {
        return new RegionLayout(size, pageSize, granule, bytes, alignmentCap, exports, emulatingContiguous, setting);
    }

    /**
     * Chooses the alignment of an {@link EmulatedCmaSource}, which needs one: buffers are aligned to the smallest power
     * of two that is not below their size, and to no more than this.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withAlignmentCap(long bytes) {
        return new RegionLayout(size, pageSize, granule, chunk, bytes, exports, emulatingContiguous, setting);
    }

    /**
     * Chooses what an exported buffer is.
     *
     * @param kind what it is
     * @return a layout
     */
    public RegionLayout withExports(Exports kind) {
        return new RegionLayout(size, pageSize, granule, chunk, alignmentCap, kind, emulatingContiguous, setting);
    }

    /**
     * Announces the region as an emulation of contiguous memory where it is none: a broker then gives it to those
     * requests only that take emulated memory. An {@link EmulatedCmaSource} always is announced so.
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

    /** {@return bytes, 0 when none was chosen} */
    long alignmentCap() {
        return alignmentCap;
    }

    /** {@return a size in whole chunks} */
    long wholeChunks(long bytes) {
        return Math.min(bytes, Long.MAX_VALUE - chunk) + chunk - 1 & -chunk;
    }

    /** @throws HeapException {@link Errno#EINVAL} for what no {@link RegionSource} can be */
    void requireReservable(String heap) {
        if (!isSize(chunk)) {
            throw refusal(
                    heap,
                    "a chunk of " + chunk + " bytes is not a power of two of at least a page, " + Bytes.PAGE);
        }
        if (alignmentCap != 0) {
            throw refusal(heap, "a cap on alignments is for an emulation of the kernel's contiguous heaps");
        }
    }

    /** @throws HeapException {@link Errno#EINVAL} for what no {@link EmulatedCmaSource} can be */
    void requireEmulatable(String heap) {
        if (!isSize(alignmentCap)) {
            throw refusal(
                    heap,
                    "a cap of " + alignmentCap + " bytes on alignments is not a power of two of at least a page, "
                            + Bytes.PAGE);
        }
        if (isOnHugePages() || granule() != Bytes.PAGE) {
            throw refusal(
                    heap,
                    "an emulation of the kernel's contiguous heaps is in pages of " + Bytes.PAGE
                            + " bytes, and has neither chunks nor granules of another size");
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
