// SPDX-License-Identifier: Apache-2.0
//
// The least that an agent and a gateway do, in C: the same processes, wake-ups and packets, and the calls that carry a
// request. It has no policy and no account. The results compare the Java processes with it.
#define _GNU_SOURCE
#include "native_twin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define SET_FLAGS 0x40082104UL // SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SYNC_WAKE_UP 1UL       // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define PACKET 84              // bytes, as a request of one heap

static int server = -1;

static void require(long result, const char *operation) {
    if (result < 0) {
        perror(operation);
        _exit(1);
    }
}

// Sends a packet, with a descriptor unless it is negative.
static void give(int socket, int fd) {
    char bytes[PACKET] = {0};
    struct iovec vector = {bytes, sizeof(bytes)};
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } control = {0};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        control.header = (struct cmsghdr) {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    }
    require(sendmsg(socket, &message, MSG_NOSIGNAL), "sendmsg");
}

// Receives a packet. Returns its descriptor, or -1. The process ends with the connection.
static int take(int socket) {
    char bytes[4096]; // longer than any packet of the two processes
    struct iovec vector = {bytes, sizeof(bytes)};
    union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr header; } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (size <= 0) {
        _exit(0);
    }
    int fd = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header) {
        memcpy(&fd, CMSG_DATA(header), sizeof(int));
    }
    return fd;
}

static void serve(int socket, int (*make)(void)) {
    while (true) {
        take(socket);
        int fd = make();
        give(socket, fd);
        close(fd);
    }
}

// Answers one call as the agent does: SYNC by itself, and an allocation through the gateway.
static void answer(int listener, const struct seccomp_notif *call, int gateway) {
    char path[64], link[256];
    struct statx status;
    struct dma_heap_allocation_data data;
    bool sync = (call->data.args[1] & 0xffff) == (DMA_BUF_IOCTL_SYNC & 0xffff);
    struct iovec local = {&data, sync ? sizeof(struct dma_buf_sync) : sizeof(data)};
    struct iovec remote = {(void *) (uintptr_t) call->data.args[2], local.iov_len};
    struct seccomp_notif_resp response = {.id = call->id};
    int fd = -1;
    snprintf(path, sizeof(path), "/proc/%u/fd/%d", call->pid, (int) call->data.args[0]);
    if (!sync) {
        require(readlink(path, link, sizeof(link)), "readlink");
    }
    require(statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE | STATX_UID, &status), "statx");
    require(process_vm_readv((pid_t) call->pid, &local, 1, &remote, 1, 0), "process_vm_readv");
    if (!sync) {
        require(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id), "ID_VALID");
        require(process_vm_writev((pid_t) call->pid, &local, 1, &remote, 1, 0), "process_vm_writev");
        give(gateway, -1);
        fd = take(gateway);
        struct seccomp_notif_addfd addition = {.id = call->id, .srcfd = (unsigned) fd, .newfd_flags = O_CLOEXEC};
        int added = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addition);
        require(added, "ADDFD");
        data.fd = (unsigned) added;
        require(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id), "ID_VALID");
        require(process_vm_writev((pid_t) call->pid, &local, 1, &remote, 1, 0), "process_vm_writev");
    }
    require(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), "SEND");
    if (!sync) {
        close(fd);
    }
}

static void listen_to(int listener, int gateway) {
    ioctl(listener, SET_FLAGS, SYNC_WAKE_UP); // Linux 6.6
    while (true) {
        struct pollfd events = {.fd = listener, .events = POLLIN};
        poll(&events, 1, -1);
        if (!(events.revents & POLLIN)) {
            _exit(0);
        }
        struct seccomp_notif call = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
            answer(listener, &call, gateway);
        }
    }
}

// Starts a process that ends with this one. Returns 0 in it.
static pid_t start(void) {
    pid_t parent = getpid();
    pid_t child = fork();
    require(child, "fork");
    if (child == 0) {
        require(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
        if (getppid() != parent) {
            _exit(0); // it had ended before
        }
    }
    return child;
}

static int filter(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DMA_HEAP_IOCTL_ALLOC & 0xffff, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DMA_BUF_IOCTL_SYNC & 0xffff, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog program = {sizeof(steps) / sizeof(*steps), steps};
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
    return (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                         SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
}

void twin_start(int (*make)(void)) {
    int own[2], agents[2], hand_over[2];
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, own), "socketpair");
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agents), "socketpair");
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hand_over), "socketpair");
    if (start() == 0) {
        serve(own[0], make);
    }
    if (start() == 0) {
        serve(agents[0], make);
    }
    if (start() == 0) {
        listen_to(take(hand_over[0]), agents[1]);
    }
    int listener = filter();
    require(listener, "seccomp");
    give(hand_over[1], listener);
    close(listener);
    server = own[1];
}

int twin_allocate(void) {
    give(server, -1);
    return take(server);
}
