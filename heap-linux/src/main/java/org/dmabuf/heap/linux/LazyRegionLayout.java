// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux;

import java.util.Objects;

/**
 * What a {@link LazyRegionSource} is to be. Nothing is checked before {@link LazyRegionSource#open}.
 *
 * @param size bytes, whole pages
 * @param alignmentCap bytes, a power of two of at least a page: buffers are aligned to the smallest power of two that
 *     is not below their size, and to no more than this
 * @param exports what an exported buffer is
 * @param setting where a person sets the size, for the remedy in refusals: {@code size in the heap's configuration}
 */
public record LazyRegionLayout(long size, long alignmentCap, RegionLayout.Exports exports, String setting) {
    /** Nothing is null. */
    public LazyRegionLayout {
        Objects.requireNonNull(exports);
        Objects.requireNonNull(setting);
    }
}
