// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

/** Where the kernel's makers of dma-bufs have their nodes, and what calls on them are named in refusals. */
public final class DmaBufDevices {
    /** Has a node for each of the kernel's heaps. */
    public static final String HEAPS = "/dev/dma_heap/";

    public static final String HEAP_ALLOC = "ioctl(DMA_HEAP_IOCTL_ALLOC)";

    public static final String UDMABUF = "/dev/udmabuf";
    static final String UDMABUF_CREATE = "ioctl(UDMABUF_CREATE)";
    /** Says how many MiB one dma-buf of udmabuf may have. */
    public static final String UDMABUF_SIZE_LIMIT = "/sys/module/udmabuf/parameters/size_limit_mb";

    public static final String WHY_NOT_READ_ONLY = "whoever has a dma-buf can write to it";

    private DmaBufDevices() {}
}
