// SPDX-License-Identifier: Apache-2.0
//
// The same system calls as the Java code makes, in the same order, from C: what a benchmark is compared with.
// Each function does the operation a number of times and returns 0, or the error number of the call that failed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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

// The CPU time of the whole process, user and system, in nanoseconds; Java's own figure has steps of 10 ms.
long twin_cpu_time(void) {
    struct timespec time;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 ? time.tv_sec * 1000000000L + time.tv_nsec : -1;
}
