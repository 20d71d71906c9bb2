// SPDX-License-Identifier: Apache-2.0
//
// The same system calls as the Java code makes, in the same order, from C: what a benchmark is compared with.
// Each function does the operation a number of times and returns 0, or the error number of the call that failed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8
#endif

// The life of a buffer of MemfdSource: made, with memory behind it, sealed, closed.
int twin_memfd(int times, long size) {
    for (int i = 0; i < times; i++) {
        int fd = memfd_create("memfd", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
        if (fd < 0 || fallocate(fd, 0, 0, size) != 0
                || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 || close(fd) != 0) {
            return errno;
        }
    }
    return 0;
}

// Maps a file from its start at a multiple of an alignment, as AlignedMapping does.
static char *map_aligned(int fd, size_t length, size_t alignment) {
    size_t reserved = length + alignment;
    char *start = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return MAP_FAILED;
    }
    char *aligned = (char *) (((uintptr_t) start + alignment - 1) & -alignment);
    munmap(aligned, length);
    char *mapped = mmap(aligned, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    if (aligned > start) {
        munmap(start, aligned - start);
    }
    munmap(aligned + length, start + reserved - aligned - length);
    return mapped;
}

// Makes a memfd in large folios as far as possible, as LargeFolios and Memfd do. Returns the descriptor, or -1.
static int make(size_t size, size_t folio) {
    int fd = memfd_create("memfd", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) {
        return -1;
    }
    if (folio != 0 && size >= folio) {
        size_t whole = size & -folio;
        char *memory = map_aligned(fd, size, folio);
        if (memory == MAP_FAILED || ftruncate(fd, size) != 0) {
            return -1;
        }
        for (size_t done = 0; done < whole; done += folio) {
            if (madvise(memory + done, sysconf(_SC_PAGESIZE), MADV_POPULATE_WRITE) != 0
                    || madvise(memory + done, folio, MADV_COLLAPSE) != 0) {
                break;
            }
        }
        munmap(memory, size);
    }
    if (fallocate(fd, 0, 0, size) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return -1;
    }
    return fd;
}

// A fresh buffer, made and closed. A folio of 0 bytes stands for a kernel without large folios.
int twin_make(int times, long size, long folio) {
    for (int i = 0; i < times; i++) {
        int fd = make(size, folio);
        if (fd < 0 || close(fd) != 0) {
            return errno;
        }
    }
    return 0;
}

// The life of a fresh buffer: made, mapped, filled, unmapped, closed.
int twin_life(int times, long size, long folio) {
    static const long large = 2 << 20;
    for (int i = 0; i < times; i++) {
        int fd = make(size, folio);
        if (fd < 0) {
            return errno;
        }
        char *memory = size < large ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                : map_aligned(fd, size, large);
        if (memory == MAP_FAILED || madvise(memory, size, MADV_POPULATE_WRITE) != 0) {
            return errno;
        }
        memset(memory, 1, size);
        __asm__ volatile("" : : "r"(memory) : "memory");
        if (munmap(memory, size) != 0 || close(fd) != 0) {
            return errno;
        }
    }
    return 0;
}

// A buffer of one of the kernel's heaps, made and closed; also with a name and a question for its size, as
// DmaHeapSource does.
int twin_dma_heap(int times, int node, long size, int named) {
    for (int i = 0; i < times; i++) {
        struct dma_heap_allocation_data data = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};
        if (ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data) != 0) {
            return errno;
        }
        int fd = data.fd;
        if (named && (ioctl(fd, DMA_BUF_SET_NAME, "bench") != 0 || lseek(fd, 0, SEEK_END) < size)) {
            return errno;
        }
        if (close(fd) != 0) {
            return errno;
        }
    }
    return 0;
}

// Removes a file from the page cache, as far as the kernel permits.
int twin_forget(int fd) {
    return fdatasync(fd) != 0 ? errno : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

// A descriptor through a connected pair, with the text that FdSocket sends, received and closed.
int twin_hand_over(int times, int fd) {
    static const char text[] = "dmaheap 1 4096 frame";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    int failed = 0;
    for (int i = 0; i < times && failed == 0; i++) {
        char received[256];
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec data = {.iov_base = (void *) text, .iov_len = sizeof text - 1};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes,
                .msg_controllen = sizeof control.bytes};
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
        if (sendmsg(pair[0], &message, MSG_NOSIGNAL) < 0) {
            failed = errno;
            break;
        }
        data = (struct iovec) {.iov_base = received, .iov_len = sizeof received};
        message = (struct msghdr) {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes,
                .msg_controllen = sizeof control.bytes};
        int got;
        if (recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) < 0 || CMSG_FIRSTHDR(&message) == NULL) {
            failed = errno == 0 ? EIO : errno;
            break;
        }
        memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
        if (close(got) != 0) {
            failed = errno;
        }
    }
    close(pair[0]);
    close(pair[1]);
    return failed;
}

// Zeroes one kept mapping.
int twin_zero(int times, void *memory, long size) {
    for (int i = 0; i < times; i++) {
        memset(memory, 0, size);
        __asm__ volatile("" : : "r"(memory) : "memory"); // or only the last would be done
    }
    return 0;
}

// Writes every byte.
int twin_fill(void *memory, long size) {
    memset(memory, 1, size);
    return 0;
}

// Reads every byte, in words.
long twin_sum(const uint64_t *memory, long size) {
    uint64_t sum = 0;
    for (long i = 0; i < size / 8; i++) {
        sum += memory[i];
    }
    return (long) sum;
}

// The CPU time of the whole process, user and system, in nanoseconds; Java's own figure has steps of 10 ms.
long twin_cpu_time(void) {
    struct timespec time;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 ? time.tv_sec * 1000000000L + time.tv_nsec : -1;
}
