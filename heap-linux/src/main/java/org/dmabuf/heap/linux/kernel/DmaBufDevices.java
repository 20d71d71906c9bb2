// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

/** Nodes of the kernel's makers of dma-bufs, and the names of calls on them in refusals. */
public final class DmaBufDevices {
    /** Folder with a node for each of the kernel's heaps. */
    public static final String HEAPS = "/dev/dma_heap/";

    public static final String HEAP_ALLOC = "ioctl(DMA_HEAP_IOCTL_ALLOC)";

    public static final String UDMABUF = "/dev/udmabuf";
    static final String UDMABUF_CREATE = "ioctl(UDMABUF_CREATE)";
    /** File with the number of MiB that one dma-buf of udmabuf may have. */
    public static final String UDMABUF_SIZE_LIMIT = "/sys/module/udmabuf/parameters/size_limit_mb";

    /** Part of a refusal of an export for reading only. */
    public static final String WHY_NOT_READ_ONLY = "each holder of a dma-buf can write to it";

    private DmaBufDevices() {}
}
