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
 * Checked configuration of a region. The check runs before the current region is released.
 *
 * @param layout the size and the pages
 * @param quota the most bytes that may be in use at a time, empty for all
 */
record Region(RegionLayout layout, OptionalLong quota) {
    private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages");

    /**
     * Reads the settings.
     *
     * @param config the configuration
     * @param settings the settings, which name themselves in refusals
     * @return the region
     * @throws HeapException {@link Errno#EINVAL} with the invalid setting and the expected values
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
                    Bytes.text(Bytes.PAGE) + ", or the size of huge pages that this machine has, see " + HUGE_PAGES);
        }
        long chunk = size(settings, "chunk.size", config.chunk_size());
        long granule = size(settings, "granule", config.granule());
        long step = Math.max(page, Math.max(chunk, granule));
        if (size <= 0 || size % step != 0) {
            throw settings.wrong(
                    "size", config.size(), "a positive multiple of page, chunk and granule, " + Bytes.text(step));
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

    /** {@return the configured size of a page, a chunk or a granule; the size of a page if not set} */
    private static long size(HeapSettings settings, String setting, String value) {
        long bytes = value.isBlank() ? Bytes.PAGE : settings.bytes(setting, value);
        if (bytes < Bytes.PAGE || Long.bitCount(bytes) != 1) {
            throw settings.wrong(setting, value, "a power of two of at least a page, " + Bytes.text(Bytes.PAGE));
        }
        return bytes;
    }
}
