// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.seccomp;

/**
 * System calls on other processes, with the kernel's results: 0 or more, or a negative error number. They need the
 * right to trace the process: the same user and a permissive Yama, or CAP_SYS_PTRACE.
 */
interface SeccompCalls {
    /** {@return the calls of the running kernel} */
    static SeccompCalls linux() {
        return LinuxSeccompCalls.INSTANCE;
    }

    /**
     * seccomp(2) SECCOMP_GET_NOTIF_SIZES.
     *
     * @param sizes address of three shorts: bytes of a notification, of a response, and of the call's data
     * @return 0 or a negative error number
     */
    int notificationSizes(long sizes);

    /**
     * readlink(2), which makes no call into a file system if the path is a descriptor in {@code /proc}.
     *
     * @param path address of a C string
     * @param text address of the space for the link, which gets no NUL
     * @param bytes size of the space
     * @return bytes of the link, at most the size of the space
     */
    long readlink(long path, long text, long bytes);

    /**
     * statx(2) with AT_STATX_DONT_SYNC, so that a file system in another process is not asked.
     *
     * @param path address of a C string
     * @param mask {@code STATX_*} fields
     * @param status address of 256 bytes
     * @return 0 or a negative error number
     */
    int statx(long path, int mask, long status);

    /**
     * process_vm_readv(2) of one range. The kernel stops at the first page that it cannot read.
     *
     * @param tid a thread of the other process
     * @param local address of a struct iovec of this process
     * @param remote address of a struct iovec with an address of the other process
     * @return bytes read, or a negative error number
     */
    long read(int tid, long local, long remote);

    /**
     * process_vm_writev(2) of one range. The kernel stops at the first page that it cannot write.
     *
     * @param tid a thread of the other process
     * @param local address of a struct iovec of this process
     * @param remote address of a struct iovec with an address of the other process
     * @return bytes written, or a negative error number
     */
    long write(int tid, long local, long remote);
}
