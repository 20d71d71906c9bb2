// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.carveout;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.component.HeapSettings;
import org.dmabuf.heap.linux.region.RegionLayout;
import org.dmabuf.heap.linux.text.Bytes;

/**
 * The region as it is configured, checked before the one that serves is given up for it.
 *
 * @param layout size and pages
 * @param quota bytes that may be out at a time, empty for all
 */
record Region(RegionLayout layout, OptionalLong quota) {
    private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages");

    /**
     * Reads the settings.
     *
     * @param config as it came
     * @param settings named in refusals
     * @return the region
     * @throws HeapException {@link Errno#EINVAL} with the setting that is wrong and what would be right
     */
    static Region of(CarveoutHeap.Config config, HeapSettings settings) {
        if (config.size() == null) {
            throw settings.absent("size", "the size of the region, such as 256M");
        }
        long size = settings.bytes("size", config.size());
        long page = size(settings, "page.size", config.page_size());
        if (page != Bytes.PAGE && !Files.isDirectory(HUGE_PAGES.resolve("hugepages-" + (page >> 10) + "kB"))) {
            throw settings.wrong(
                    "page.size",
                    config.page_size(),
                    Bytes.text(Bytes.PAGE) + ", or the size of huge pages that this machine has, below " + HUGE_PAGES);
        }
        long chunk = size(settings, "chunk.size", config.chunk_size());
        long granule = size(settings, "granule", config.granule());
        long step = Math.max(page, Math.max(chunk, granule));
        if (size <= 0 || size % step != 0) {
            throw settings.wrong("size", config.size(), "a positive multiple of page, chunk and granule, "
                    + Bytes.text(step));
        }
        RegionLayout layout = RegionLayout.of(size, settings.place("size"))
                .withPageSize(page)
                .withChunk(chunk)
                .withGranule(granule)
                .withExports(settings.oneOf("exports", config.exports(), RegionLayout.Exports.class));
        boolean emulated = settings.flag("emulate.contiguous", config::emulate_contiguous);
        OptionalLong quota = config.quota().isBlank()
                ? OptionalLong.empty()
                : OptionalLong.of(settings.bytes("quota", config.quota()));
        return new Region(emulated ? layout.withContiguousEmulated() : layout, quota);
    }

    /** {@return what a page, a chunk or a granule is to be, a page where nothing is set} */
    private static long size(HeapSettings settings, String setting, String value) {
        long bytes = value.isBlank() ? Bytes.PAGE : settings.bytes(setting, value);
        if (bytes < Bytes.PAGE || Long.bitCount(bytes) != 1) {
            throw settings.wrong(setting, value, "a power of two of at least a page, " + Bytes.text(Bytes.PAGE));
        }
        return bytes;
    }
}
