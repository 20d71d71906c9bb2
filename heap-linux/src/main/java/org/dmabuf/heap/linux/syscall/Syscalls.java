// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.syscall;

/**
 * The system calls that heaps need, as the kernel gives them: a result of 0 or more, or the negative error number.
 * Nothing is retried here and nothing throws, so that a test can put any answer of the kernel in its place.
 *
 * <p>Any thread may call any method. Addresses are longs: no segment and no arena is made on the way.
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
     * close(2). The descriptor is gone whatever the answer: never call it again for the same number.
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
     * @param argument meaning as the command has it
     * @return 0 or more as the command has it, or a negative error number
     */
    int fcntl(int fd, int command, int argument);

    /**
     * read(2). A page that the kernel cannot find for the target ends the call, where an access would raise a signal.
     *
     * @param fd descriptor
     * @param address where to put what was read
     * @param length bytes
     * @return bytes read or a negative error number
     */
    long read(int fd, long address, long length);

    /**
     * write(2).
     *
     * @param fd descriptor
     * @param address of what to write
     * @param length bytes
     * @return bytes written or a negative error number
     */
    long write(int fd, long address, long length);

    /**
     * poll(2): waits until something happens to one of several descriptors.
     *
     * @param pollfds address of structs pollfd: int fd, short events, short revents; a negative fd is passed over
     * @param count how many there are
     * @param millis how long at most, negative for ever
     * @return to how many something happened, 0 when time has passed, or a negative error number
     */
    int poll(long pollfds, int count, int millis);

    /**
     * eventfd(2): a counter of 0 as a file, which can be read when it was written to.
     *
     * @param flags {@code EFD_*}
     * @return a descriptor or a negative error number
     */
    int eventfd(int flags);

    /**
     * ioctl(2) with the address of its argument.
     *
     * @param fd descriptor
     * @param request number of the call, which differs between files
     * @param address of the argument
     * @return 0 or more as the request has it, or a negative error number
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
     * mmap(2) at an address of the kernel's choice.
     *
     * @param length bytes
     * @param protection {@code PROT_*}
     * @param flags {@code MAP_*}
     * @param fd descriptor
     * @param offset bytes, a multiple of the page size
     * @return an address or a negative error number
     */
    long mmap(long length, int protection, int flags, int fd, long offset);

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
     * Whether user space can take references of a mapping's pages, which then live on without descriptor and mapping.
     * Tries vmsplice(2) of one page into a pipe, which is closed again.
     *
     * @param address of a mapping that can be read
     * @return 1 when it can, 0 when the kernel keeps the pages from it, or a negative error number
     */
    int canSplice(long address);

    /**
     * The inode number of an open descriptor, by statx(2).
     *
     * @param fd descriptor
     * @return an inode number or a negative error number
     */
    long inode(int fd);

    /**
     * The length of an open file, by statx(2); 0 for a dma-buf.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long size(int fd);

    /**
     * What kind of file an open file is, and its permissions, by statx(2).
     *
     * @param fd descriptor
     * @return {@code st_mode} or a negative error number
     */
    int mode(int fd);

    /**
     * How many names an open file has, by statx(2); 0 for a memfd.
     *
     * @param fd descriptor
     * @return hard links or a negative error number
     */
    int links(int fd);

    /**
     * How much memory is behind an open file, by statx(2): less than its length where it has holes.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long allocated(int fd);

    /**
     * The kind of file system that an open file is on, by fstatfs(2).
     *
     * @param fd descriptor
     * @return {@code f_type}, a magic number, or a negative error number
     */
    long fileSystem(int fd);

    /**
     * Where an open file ends, by lseek(2): the only way to learn the length of a dma-buf. Moves the file's position.
     *
     * @param fd descriptor
     * @return bytes or a negative error number
     */
    long seekEnd(int fd);

    /**
     * Where the first hole of an open memfd begins, by lseek(2) SEEK_HOLE. The file's position is put back afterwards;
     * a process that shares the open file sees it moved meanwhile.
     *
     * @param fd descriptor of a memfd of ordinary pages
     * @return bytes from the start, the file's length when there is no hole, or a negative error number
     */
    long firstHole(int fd);

    /**
     * Whether a descriptor is of a dma-buf. Looks at what {@code /proc/self} shows of it, and so asks no file system,
     * which could be one that never answers. Needs a kernel 5.3 or newer.
     *
     * @param fd descriptor
     * @return 1 for a dma-buf, 0 for anything else, or a negative error number
     */
    int isDmaBuf(int fd);

    /**
     * ioctl(2) DMA_HEAP_IOCTL_ALLOC.
     *
     * @param node an open {@code /dev/dma_heap/NAME}, for reading at least
     * @param length bytes, which the heap rounds up; {@link #seekEnd} returns how far
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
