// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.Objects;

/**
 * What a region is to be, in bytes. Nothing is checked before {@link RegionSource#open}. Immutable: each {@code with}
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
    private final Exports exports;
    private final boolean emulatingContiguous;
    private final String setting;

    private RegionLayout(
            long size,
            long pageSize,
            long granule,
            long chunk,
            Exports exports,
            boolean emulatingContiguous,
            String setting) {
        this.size = size;
        this.pageSize = pageSize;
        this.granule = granule;
        this.chunk = chunk;
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
        return new RegionLayout(size, Bytes.PAGE, Bytes.PAGE, Bytes.PAGE, Exports.AUTO, false, setting);
    }

    /**
     * Chooses the pages.
     *
     * @param bytes {@link Bytes#PAGE}, or the size of a huge page of this machine
     * @return a layout
     */
    public RegionLayout withPageSize(long bytes) {
        return new RegionLayout(size, bytes, granule, chunk, exports, emulatingContiguous, setting);
    }

    /**
     * Chooses how fine the books are: a coarse granule costs memory of the region, a fine one memory of Java's heap.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withGranule(long bytes) {
        return new RegionLayout(size, pageSize, bytes, chunk, exports, emulatingContiguous, setting);
    }

    /**
     * Gives whole chunks, as ION's chunk heap: sizes are rounded up to them, and the region does not fragment.
     *
     * @param bytes a power of two, at least a page
     * @return a layout
     */
    public RegionLayout withChunk(long bytes) {
        return new RegionLayout(size, pageSize, granule, bytes, exports, emulatingContiguous, setting);
    }

    /**
     * Chooses what an exported buffer is.
     *
     * @param kind what it is
     * @return a layout
     */
    public RegionLayout withExports(Exports kind) {
        return new RegionLayout(size, pageSize, granule, chunk, kind, emulatingContiguous, setting);
    }

    /**
     * Announces the region as an emulation of contiguous memory where it is none: a broker then gives it to those
     * requests only that take emulated memory.
     *
     * @return a layout
     */
    public RegionLayout withContiguousEmulated() {
        return new RegionLayout(size, pageSize, granule, chunk, exports, true, setting);
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

    boolean isOnHugePages() {
        return pageSize != Bytes.PAGE;
    }
}
