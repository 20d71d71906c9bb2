// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.region;

import java.util.SplittableRandom;
import org.dmabuf.heap.linux.text.Bytes;

/** Region allocator with a number of live buffers of 1 to 16 pages, which fill it to 80 %. */
public final class CrowdedRegion {
    private static final int MOST_PAGES = 16;

    private final SplittableRandom random = new SplittableRandom(6);
    private final long[] live;
    private final RegionAllocator region;

    /** Fills a region. */
    public CrowdedRegion(int buffers) {
        live = new long[buffers];
        long mean = (MOST_PAGES + 1) * Bytes.PAGE / 2;
        region = new RegionAllocator("bench", Bytes.wholePages(buffers * mean * 5 / 4), Bytes.PAGE);
        for (int i = 0; i < buffers; i++) {
            live[i] = region.allocate(size(), Bytes.PAGE);
        }
    }

    private long size() {
        return (1 + random.nextInt(MOST_PAGES)) * Bytes.PAGE;
    }

    /** Closes one buffer, and allocates another. */
    public void freeAndAllocate() {
        int slot = random.nextInt(live.length);
        if (live[slot] >= 0) {
            region.free(live[slot]);
        }
        live[slot] = region.allocate(size(), Bytes.PAGE);
    }
}
