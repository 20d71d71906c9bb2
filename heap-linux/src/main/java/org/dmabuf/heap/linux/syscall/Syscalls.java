// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

import org.dmabuf.heap.Errno;

/**
 * System calls that heaps need, with the kernel's results: 0 or more, or a negative error number. The methods neither
 * retry nor throw, so that a test can substitute any result.
 *
 * <p>Any thread may call any method. Addresses are longs, so that calls need neither segments nor arenas.
 */
public interface Syscalls {
    /** {@return the calls of the running kernel} */
    static Syscalls linux() {
        return LinuxSyscalls.INSTANCE;
    }

    /**
     * memfd_create(2).
     *
     * @param name shown as {@code memfd:name} in {@code /proc}; at most 249 bytes of UTF-8
     * @param flags {@code MFD_*}
     * @return a descriptor or a negative error number
     */
    int memfdCreate(String name, int flags);

    /**
     * open(2) of an existing file.
     *
     * @param path at most 255 bytes of UTF-8
     * @param flags {@code O_*}
     * @return a descriptor or a negative error number
     */
    int open(String path, int flags);

    /**
     * close(2). The descriptor is closed regardless of the result: never call it again for the same number.
     *
     * @param fd descriptor
     * @return 0 or a negative error number
     */
    int close(int fd);

    /**
     * fcntl(2) with an integer argument.
     *
     * @param fd descriptor
     * @param command {@code F_*}
     * @param argument argument of the command
     * @return result of the command, 0 or more, or a negative error number
     */
    int fcntl(int fd, int command, int argument);

    /**
     * read(2). If a page of the target cannot be allocated, the call ends, whereas an access would raise a signal.
     *
     * @param fd descriptor
     * @param address target of the bytes
     * @param length bytes
     * @return bytes read or a negative error number
     */
    long read(int fd, long address, long length);

    /**
     * write(2).
     *
     * @param fd descriptor
     * @param address of the bytes to write
     * @param length bytes
     * @return bytes written or a negative error number
     */
    long write(int fd, long address, long length);

    /**
     * poll(2): waits for events of several descriptors.
     *
     * @param pollfds address of structs pollfd: int fd, short events, short revents; a negative fd is ignored
     * @param count number of structs
     * @param millis longest wait, negative for no limit
     * @return number of descriptors with events, 0 after the time has passed, or a negative error number
     */
    int poll(long pollfds, int count, int millis);

    /**
     * eventfd(2): makes a counter with value 0 as a file, which is readable after a write.
     *
     * @param flags {@code EFD_*}
     * @return a descriptor or a negative error number
     */
    int eventfd(int flags);

    /**
     * ioctl(2) with the address of its argument.
     *
     * @param fd descriptor
     * @param request number of the ioctl
     * @param address of the argument
     * @return result of the ioctl, 0 or more, or a negative error number
     */
    int ioctl(int fd, long request, long address);

    /**
     * fallocate(2): makes the file at least {@code offset + length} bytes long, with memory behind that range.
     *
     * @param fd descriptor
     * @param mode 0, or {@code FALLOC_FL_*}
     * @param offset bytes
     * @param length bytes
     * @return 0 or a negative error number
     */
    int fallocate(int fd, int mode, long offset, long length);

    /**
     * ftruncate(2): sets the length of a file.
     *
     * @param fd descriptor
     * @param size bytes
     * @return 0 or a negative error number
     */
    int ftruncate(int fd, long size);

    /**
     * mmap(2).
     *
     * @param address 0 for an address of the kernel's choice; with {@code MAP_FIXED} or
     *     {@code MAP_FIXED_NOREPLACE} the address of the mapping
     * @param length bytes
     * @param protection {@code PROT_*}
     * @param flags {@code MAP_*}
     * @param fd descriptor
     * @param offset bytes, a multiple of the page size
     * @return an address or a negative error number
     */
    long mmap(long address, long length, int protection, int flags, int fd, long offset);

    /**
     * munmap(2).
     *
     * @param address as mmap returned it
     * @param length bytes
     * @return 0 or a negative error number
     */
    int munmap(long address, long length);

    /**
     * madvise(2).
     *
     * @param address within a mapping
     * @param length bytes
     * @param advice {@code MADV_*}
     * @return 0 or a negative error number
     */
    int madvise(long address, long length, int advice);

    /**
     * mlock(2): keeps a part of a mapping from being swapped out, within RLIMIT_MEMLOCK, until the mapping ends.
     *
     * @param address within a mapping, a multiple of the page size
     * @param length bytes
     * @return 0 or a negative error number
     */
    int mlock(long address, long length);

    /**
     * Tests whether user space can take references to a mapping's pages, which then exist without descriptor and
     * mapping. It makes a vmsplice(2) of one page into a pipe, and closes the pipe.
     *
     * @param address of a mapping that can be read
     * @return 1 if it can, 0 if the kernel prevents it, or a negative error number
     */
    int canSplice(long address);

    /**
     * Returns the inode number of an open file, by statx(2).
     *
     * @param fd descriptor
     * @return an inode number or a negative error number
     */
    long inode(int fd);

    /**
     * Returns the device number of the file system of an open file, by statx(2). With the inode number it identifies
     * the file on this machine.
     *
     * @param fd descriptor
     * @return {@code st_dev} or a negative error number, {@code -ENOSYS} by default
     */
    default long device(int fd) {
        return -Errno.ENOSYS.number();
    }

    /**
     * Returns the length of an open file, by statx(2); 0 for a dma-buf.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long size(int fd);

    /**
     * Returns the kind and the permissions of an open file, by statx(2).
     *
     * @param fd descriptor
     * @return {@code st_mode} or a negative error number
     */
    int mode(int fd);

    /**
     * Returns the number of names of an open file, by statx(2); 0 for a memfd.
     *
     * @param fd descriptor
     * @return hard links or a negative error number
     */
    int links(int fd);

    /**
     * Returns the allocated memory of an open file, by statx(2); less than its length if it has holes.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long allocated(int fd);

    /**
     * Returns the file system type of an open file, by fstatfs(2).
     *
     * @param fd descriptor
     * @return {@code f_type}, a magic number, or a negative error number
     */
    long fileSystem(int fd);

    /**
     * Returns the end of an open file, by lseek(2). It is the only way to get the length of a dma-buf. Moves the file's
     * position.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long seekEnd(int fd);

    /**
     * Returns the start of the first hole of an open memfd, by lseek(2) SEEK_HOLE. The file's position is restored
     * afterwards; a process that shares the open file sees it change meanwhile.
     *
     * @param fd descriptor of a memfd of ordinary pages
     * @return bytes from the start, the file's length if it has no hole, or a negative error number
     */
    long firstHole(int fd);

    /**
     * Returns whether a descriptor is of a dma-buf. It reads only {@code /proc/self} and makes no call into the file's
     * file system, which could block forever. Needs kernel 5.3 or newer.
     *
     * @param fd descriptor
     * @return 1 for a dma-buf, 0 for anything else, or a negative error number
     */
    int isDmaBuf(int fd);

    /**
     * ioctl(2) DMA_HEAP_IOCTL_ALLOC.
     *
     * @param node an open {@code /dev/dma_heap/NAME}, for reading at least
     * @param length bytes, which the heap rounds up; {@link #seekEnd} returns the actual length
     * @param fdFlags {@code O_CLOEXEC} and an access mode, nothing else
     * @param heapFlags 0: the kernel defines none
     * @return the descriptor of a dma-buf or a negative error number
     */
    int dmaHeapAllocate(int node, long length, int fdFlags, long heapFlags);

    /**
     * ioctl(2) DMA_BUF_IOCTL_SYNC: begins or ends a CPU access. May wait for fences without limit.
     *
     * @param fd a dma-buf
     * @param flags {@code DMA_BUF_SYNC_*}
     * @return 0 or a negative error number
     */
    int dmaBufSync(int fd, long flags);

    /**
     * ioctl(2) DMA_BUF_SET_NAME.
     *
     * @param fd a dma-buf
     * @param name at most 31 bytes of UTF-8
     * @return 0 or a negative error number
     */
    int dmaBufSetName(int fd, String name);

    /**
     * ioctl(2) UDMABUF_CREATE: makes a dma-buf of a range of a memfd.
     *
     * @param device an open {@code /dev/udmabuf}
     * @param memfd sealed with {@code F_SEAL_SHRINK} and not against writing
     * @param flags 1 for close-on-exec
     * @param offset bytes, whole pages
     * @param size bytes, whole pages
     * @return the descriptor of a dma-buf or a negative error number
     */
    int udmabufCreate(int device, int memfd, int flags, long offset, long size);
}
