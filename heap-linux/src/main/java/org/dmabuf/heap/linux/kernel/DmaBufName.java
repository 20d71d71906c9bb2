// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Name of a dma-buf in fdinfo and debugfs. */
public final class DmaBufName {
    /** The kernel's DMA_BUF_NAME_LEN less the NUL. */
    public static final int MOST_BYTES = 31;

    private DmaBufName() {}

    /**
     * Names a dma-buf.
     *
     * @param syscalls the kernel
     * @param heap named in a refusal
     * @param fd the dma-buf
     * @param size its bytes, for the error message
     * @param name any text; a longer one is shortened
     * @throws HeapException when the kernel refuses
     */
    public static void set(Syscalls syscalls, String heap, int fd, long size, String name) {
        int result = syscalls.dmaBufSetName(fd, cut(name));
        if (result < 0 && result != -Errno.ENOTTY.number()) { // ENOTTY: kernels before 5.3 have no names
            throw KernelError.of(heap, size, "ioctl(DMA_BUF_SET_NAME)", result);
        }
    }

    /** Shortens a text to the whole characters that fit into {@value #MOST_BYTES} bytes of UTF-8. */
    static String cut(String name) {
        int bytes = 0;
        int end = 0;
        while (end < name.length()) {
            int character = name.codePointAt(end);
            bytes += character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
            if (bytes > MOST_BYTES) {
                return name.substring(0, end);
            }
            end += Character.charCount(character);
        }
        return name;
    }
}
