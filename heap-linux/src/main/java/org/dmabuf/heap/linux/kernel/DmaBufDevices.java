// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

/** Names of the kernel's device nodes that make dma-bufs, and of the calls on them in error messages. */
public final class DmaBufDevices {
    /** Folder with a node for each of the kernel's heaps. */
    public static final String HEAPS = "/dev/dma_heap/";

    public static final String HEAP_ALLOC = "ioctl(DMA_HEAP_IOCTL_ALLOC)";

    public static final String UDMABUF = "/dev/udmabuf";
    static final String UDMABUF_CREATE = "ioctl(UDMABUF_CREATE)";
    /** File with the size limit of one udmabuf dma-buf, in MiB. */
    public static final String UDMABUF_SIZE_LIMIT = "/sys/module/udmabuf/parameters/size_limit_mb";

    /** Part of the message when a read-only export is refused. */
    public static final String WHY_NOT_READ_ONLY = "each holder of a dma-buf can write to it";

    private DmaBufDevices() {}
}
