// SPDX-License-Identifier: Apache-2.0
//
// Client of the agent for its tests: client SOCKET FOLDER KIND CASE. It installs a filter, hands the listener over with
// the nodes FOLDER/system, FOLDER/ion and FOLDER/simple as KIND, and runs one case. KIND is "device" or "file" for the
// launchers' socket, or "oci" for the runtimes' socket. There it sends the text in OCI_STATE in two pieces, with its
// process id for %d, and leaves the connection open if OCI_STAYS is set. CLIENT_UID is its user. Each line of its output is NAME=VALUE. An error is the negative error
// number.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define DMA_HEAP_ALLOC 0xC0184800UL
#define SYNC 0x40086200UL
#define SET_NAME 0x40086201UL
#define EXPORT_SYNC_FILE 0xC0086202UL
#define ION_ALLOC 0xC0184900UL
#define ION_QUERY 0xC0184908UL
#define SIMPLE_ALLOC 0xC0205300UL

struct dma_heap { uint64_t len; uint32_t fd, fd_flags; uint64_t heap_flags; };
struct ion { uint64_t len; uint32_t mask, flags, fd, unused; };
struct ion_query { uint32_t cnt, reserved0; uint64_t heaps; uint32_t reserved1, reserved2; };
struct ion_heap { char name[32]; uint32_t type, id, reserved[3]; };
struct simple { uint64_t version, length; uint32_t flags, reserved1; int32_t fd; uint32_t reserved2; };
struct dmal { uint32_t magic; uint16_t version, operation; int32_t status; uint32_t reserved; char text[4096]; };

static const char *folder, *kind;
static int heap_node, ion_node, simple_node;
static int kept; // the listener, which the client should not keep

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void say(const char *name, long value) {
    printf("%s=%ld\n", name, value);
    fflush(stdout);
}

static int open_node(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) die(path);
    return fd;
}

static int install(void) {
    static const uint32_t trapped[] = {0x4800, 0x4900, 0x4908, 0x5300, 0x6200, 0x6201, 0x6202, 0x6203};
    enum { COUNT = sizeof trapped / sizeof *trapped };
    struct sock_filter filter[16 + COUNT];
    int n = 0;
#define ADD(...) filter[n++] = (struct sock_filter) __VA_ARGS__
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
#if defined(__x86_64__)
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 2));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 54, 3, 2));
#endif
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])));
    ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff));
    for (int i = 0; i < COUNT; i++) {
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, trapped[i], COUNT - i, 0));
    }
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    struct sock_fprog program = {n, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("PR_SET_NO_NEW_PRIVS");
    unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
    if (fd < 0 && errno == EINVAL) fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return fd;
}

static int dial_as(const char *path, int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof address)) die("connect");
    return fd;
}

static void transmit(int fd, const void *bytes, size_t length, int descriptor) {
    struct iovec io = {(void *) bytes, length};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &descriptor, sizeof(int));
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0) die("sendmsg");
}

static int exchange(int fd, int operation, const char *text, int descriptor, struct dmal *reply) {
    struct dmal request = {0x4C414D44, 1, operation, 0, 0, ""};
    strncpy(request.text, text, sizeof request.text - 1);
    transmit(fd, &request, offsetof(struct dmal, text) + strlen(request.text), descriptor);
    memset(reply, 0, sizeof *reply);
    if (recv(fd, reply, sizeof *reply - 1, 0) < 16) die("recv");
    close(fd);
    return reply->status;
}

// As a container runtime does it: the state with the listener, and no reply.
static void attach_container(const char *path) {
    char state[8192];
    int length = snprintf(state, sizeof state, getenv("OCI_STATE"), (int) getpid());
    int connection = dial_as(path, SOCK_STREAM);
    int listener = install();
    if (listener < 0) die("seccomp");
    transmit(connection, state, length / 2, listener);
    transmit(connection, state + length / 2, length - length / 2, -1);
    if (!getenv("OCI_STAYS")) close(connection);
    close(listener);
}

// Hands the listener over as often as CLIENT_ATTACHES states.
static void attach(const char *path) {
    struct dmal reply;
    char lines[2048];
    snprintf(lines, sizeof lines, "%s/system %s\n%s/ion %s\n%s/simple %s\n", folder, kind, folder, kind, folder, kind);
    int count = getenv("CLIENT_ATTACHES") ? atoi(getenv("CLIENT_ATTACHES")) : 1;
    int connections[8];
    for (int i = 0; i < count; i++) connections[i] = dial_as(path, SOCK_SEQPACKET); // before the filter, as a launcher
    int listener = install();
    if (listener < 0) die("seccomp");
    for (int i = 0; i < count; i++) {
        if (exchange(connections[i], 2, lines, listener, &reply)) {
            fprintf(stderr, "attach: %d %s\n", reply.status, reply.text);
            exit(1);
        }
    }
    if (getenv("CLIENT_KEEPS")) kept = listener; else close(listener);
}

static long call(int fd, unsigned long number, void *argument) {
    return ioctl(fd, number, argument) ? -errno : 0;
}

static long allocate(uint64_t length, uint32_t flags) {
    struct dma_heap data = {.len = length, .fd_flags = flags};
    long result = call(heap_node, DMA_HEAP_ALLOC, &data);
    return result ? result : (long) data.fd;
}

static int descriptors(void) {
    int count = 0;
    DIR *entries = opendir("/proc/self/fd");
    while (readdir(entries)) count++;
    closedir(entries);
    return count;
}

static long touch(int fd, size_t length) {
    unsigned char *bytes = mmap(0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) return -errno;
    long sum = 0;
    for (size_t i = 0; i < length; i++) sum += bytes[i];
    memset(bytes, 7, length);
    munmap(bytes, length);
    return sum;
}

static void case_alloc(void) {
    long fd = allocate(12288, O_RDWR | O_CLOEXEC);
    say("descriptor", fd > 2);
    say("cloexec", fcntl(fd, F_GETFD));
    say("size", lseek(fd, 0, SEEK_END));
    say("zeroed", touch(fd, 12288));
    long plain = allocate(1, O_RDWR);
    say("not cloexec", fcntl(plain, F_GETFD));
    say("rounded", lseek(plain, 0, SEEK_END));
    long readonly = allocate(4096, O_RDONLY);
    say("writable map of a read-only descriptor", touch(readonly, 4096));
    say("read", mmap(0, 4096, PROT_READ, MAP_SHARED, readonly, 0) != MAP_FAILED);
    uint64_t flags = 1 | 2;
    say("sync", call(fd, SYNC, &flags));
    flags |= 4;
    say("sync end", call(fd, SYNC, &flags));
    say("sync of the read-only one", call(readonly, SYNC, &flags));
    say("name", call(fd, SET_NAME, "a name"));
}

static void case_errors(void) {
    struct dma_heap data;
#define TRY(name, ...) data = (struct dma_heap) __VA_ARGS__; say(name, call(heap_node, DMA_HEAP_ALLOC, &data))
    TRY("length 0", {0, 0, O_RDWR, 0});
    TRY("wrapping length", {-1ULL, 0, O_RDWR, 0});
    TRY("last wrapping length", {-4095ULL, 0, O_RDWR, 0});
    TRY("huge length", {-4096ULL, 0, O_RDWR, 0});
    TRY("half of all", {1ULL << 63, 0, O_RDWR, 0});
    TRY("descriptor not 0", {4096, 3, O_RDWR, 0});
    TRY("unknown fd_flags", {4096, 0, O_RDWR | O_NONBLOCK, 0});
    TRY("heap_flags", {4096, 0, O_RDWR, 1});
    say("unknown number", call(heap_node, _IOWR('H', 1, struct dma_heap), &data));
    say("ion number on a heap's node", call(heap_node, ION_ALLOC, &data));
    long fd = allocate(4096, O_RDWR);
    uint64_t flags;
#define SYNCS(name, value) flags = value; say(name, call(fd, SYNC, &flags))
    SYNCS("sync with an unknown bit", 8 | 3);
    SYNCS("sync of nothing", 0);
    SYNCS("sync end of nothing", 4);
    say("sync at address 8", call(fd, SYNC, (void *) 8));
    say("name of 31", call(fd, SET_NAME, "1234567890123456789012345678901"));
    say("name of 32", call(fd, SET_NAME, "12345678901234567890123456789012"));
    say("name at address 8", call(fd, SET_NAME, (void *) 8));
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    strcpy(page + 4090, "ends");
    say("name at the end of memory", call(fd, SET_NAME, page + 4090));
    memset(page + 4090, 'x', 6);
    say("name past the end of memory", call(fd, SET_NAME, page + 4090));
    int foreign[2] = {0, 1};
    say("sync file of a memfd", call(fd, EXPORT_SYNC_FILE, foreign));
    say("unknown number on a buffer", call(fd, _IO('b', 9), 0));
    int null = open("/dev/null", O_RDWR);
    say("another file", call(null, DMA_HEAP_ALLOC, &data));
    say("closed descriptor", call(999, DMA_HEAP_ALLOC, &data));
    int own = memfd_create("own", MFD_CLOEXEC);
    flags = 3;
    say("sync of an own memfd", call(own, SYNC, &flags));
    int pipes[2];
    if (pipe(pipes)) die("pipe");
    say("sync of a pipe", call(pipes[0], SYNC, &flags));
}

static void case_structs(void) {
    struct { struct dma_heap data; uint64_t tail[2]; } longer = {{4096, 0, O_RDWR, 0}, {1, 2}};
    say("longer", call(heap_node, _IOC(3, 'H', 0, sizeof longer), &longer));
    say("longer has a descriptor", longer.data.fd > 2);
    say("tail", longer.tail[0] == 1 && longer.tail[1] == 2);
    struct dma_heap shorter = {4096, 0, O_RDWR, ~0ULL};
    say("shorter", call(heap_node, _IOC(3, 'H', 0, 16), &shorter));
    say("shorter has a descriptor", shorter.fd > 2);
    say("rest is kept", shorter.heap_flags == ~0ULL);
    struct dma_heap data = {4096, 0, O_RDWR, 0};
    say("read only by the kernel", call(heap_node, _IOC(1, 'H', 0, 24), &data));
    say("descriptor is not written", data.fd);
    say("not read by the kernel", call(heap_node, _IOC(2, 'H', 0, 24), &data));
    say("size 0", call(heap_node, _IOC(3, 'H', 0, 0), &data));
}

static void case_pointers(void) {
    int before = descriptors();
    say("null", call(heap_node, DMA_HEAP_ALLOC, 0));
    say("kernel address", call(heap_node, DMA_HEAP_ALLOC, (void *) -4096L));
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    say("half a struct", call(heap_node, DMA_HEAP_ALLOC, pages + 4096 - 12));
    *(struct dma_heap *) pages = (struct dma_heap){4096, 0, O_RDWR, 0};
    mprotect(pages, 4096, PROT_READ);
    say("read-only struct", call(heap_node, DMA_HEAP_ALLOC, pages));
    mprotect(pages, 4096, PROT_READ | PROT_WRITE);
    *(struct dma_heap *) pages = (struct dma_heap){0, 0, O_RDWR, 0};
    mprotect(pages, 4096, PROT_READ);
    say("read-only invalid struct", call(heap_node, DMA_HEAP_ALLOC, pages));
    say("ion null", call(ion_node, ION_ALLOC, 0));
    say("simple null", call(simple_node, SIMPLE_ALLOC, 0));
    say("left", descriptors() - before);
}

static void case_ion(void) {
    struct ion data = {4096, 1, 0, 0, 0};
    say("alloc", call(ion_node, ION_ALLOC, &data));
    say("cloexec", fcntl(data.fd, F_GETFD));
    say("zeroed", touch(data.fd, 4096));
    data = (struct ion){4096, 0, 0, 0, 0};
    say("mask 0", call(ion_node, ION_ALLOC, &data));
    data = (struct ion){4096, 1u << 31, 0, 0, 0};
    say("mask of no heap", call(ion_node, ION_ALLOC, &data));
    data = (struct ion){0, 1, 0, 0, 0};
    say("length 0", call(ion_node, ION_ALLOC, &data));
    say("larger struct", call(ion_node, _IOC(3, 'I', 0, 32), &data));
    say("smaller struct", call(ion_node, _IOC(3, 'I', 0, 16), &data));
    struct ion_query query = {0};
    say("query", call(ion_node, ION_QUERY, &query));
    say("count", query.cnt);
    struct ion_heap heaps[8];
    memset(heaps, -1, sizeof heaps);
    query = (struct ion_query){8, 0, (uintptr_t) heaps, 0, 0};
    say("fill", call(ion_node, ION_QUERY, &query));
    for (unsigned i = 0; i < query.cnt; i++) {
        printf("heap=%s type %u id %u\n", heaps[i].name, heaps[i].type, heaps[i].id);
    }
    say("untouched", heaps[query.cnt].id == ~0u);
    query = (struct ion_query){1, 0, (uintptr_t) heaps, 0, 0};
    say("fill one", call(ion_node, ION_QUERY, &query));
    say("one", query.cnt);
    query = (struct ion_query){0, 0, (uintptr_t) heaps, 0, 0};
    say("fill none", call(ion_node, ION_QUERY, &query));
    query = (struct ion_query){8, 1, (uintptr_t) heaps, 0, 0};
    say("reserved0", call(ion_node, ION_QUERY, &query));
    query = (struct ion_query){8, 0, (uintptr_t) heaps, 0, 1};
    say("reserved2", call(ion_node, ION_QUERY, &query));
    query = (struct ion_query){8, 0, 8, 0, 0};
    say("unwritable heaps", call(ion_node, ION_QUERY, &query));
    say("query at null", call(ion_node, ION_QUERY, 0));
}

static void case_simple(void) {
    struct simple data = {0, 4096, O_RDWR | O_CLOEXEC, 0, -1, 0};
    say("alloc", call(simple_node, SIMPLE_ALLOC, &data));
    say("cloexec", fcntl(data.fd, F_GETFD));
    say("zeroed", touch(data.fd, 4096));
    data = (struct simple){1, 4096, O_RDWR, 0, -1, 0};
    say("version 1", call(simple_node, SIMPLE_ALLOC, &data));
    data = (struct simple){0, 0, O_RDWR, 0, -1, 0};
    say("length 0", call(simple_node, SIMPLE_ALLOC, &data));
    data = (struct simple){0, 1ULL << 63, O_RDWR, 0, -1, 0};
    say("huge length", call(simple_node, SIMPLE_ALLOC, &data));
    say("other size", call(simple_node, _IOC(3, 'S', 0, 16), &data));
}

// The statuses that the gateway gives for these heaps: the masks of ION stand for them in the test.
static void case_statuses(void) {
    for (int bit = 8; bit < 16; bit++) {
        struct ion data = {4096, 1u << bit, 0, 0, 0};
        say("status", call(ion_node, ION_ALLOC, &data));
    }
}

static volatile int stop;
static struct dma_heap shared;

static void *flip(void *unused) {
    while (!stop) {
        shared.len = 4096;
        shared.fd_flags = 0x7fffffff;
        shared.len = 1ULL << 62;
        shared.fd_flags = O_RDWR;
        shared.fd = 5;
        shared.fd = 0;
    }
    return unused;
}

static void case_flip(void) {
    int before = descriptors(), good = 0, bad = 0, wrong = 0;
    pthread_t thread;
    pthread_create(&thread, 0, flip, 0);
    for (int i = 0; i < 2000; i++) {
        shared.heap_flags = 0;
        shared.len = 4096;
        if (ioctl(heap_node, DMA_HEAP_ALLOC, &shared)) {
            if (errno == EINVAL || errno == ENOMEM) bad++; else wrong++;
        } else {
            good++;
        }
    }
    stop = 1;
    pthread_join(thread, 0);
    int opened = descriptors() - before;
    say("answered", good + bad == 2000);
    say("wrong", wrong);
    say("descriptors are those of successes", opened == good);
}

static void *unmapper(void *page) {
    while (!stop) {
        madvise(page, 4096, MADV_DONTNEED);
        mprotect(page, 4096, PROT_NONE);
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
    }
    return 0;
}

static void case_unmap(void) {
    struct dma_heap *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int wrong = 0;
    pthread_t thread;
    pthread_create(&thread, 0, unmapper, page);
    for (int i = 0; i < 2000; i++) {
        long result = call(heap_node, DMA_HEAP_ALLOC, page);
        if (result != 0 && result != -EFAULT && result != -EINVAL) wrong++;
    }
    stop = 1;
    pthread_join(thread, 0);
    say("wrong", wrong);
}

static void tick(int number) { (void) number; }

static void case_storm(void) {
    struct sigaction action = {.sa_handler = tick};
    sigaction(SIGALRM, &action, 0);
    int before = descriptors(), good = 0, interrupted = 0, wrong = 0;
    struct itimerval every = {{0, 97}, {0, 97}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, 0);
    for (int i = 0; i < 3000; i++) {
        long fd = allocate(4096, O_RDWR);
        if (fd >= 0) { good++; close(fd); } else if (fd == -EINTR) interrupted++; else wrong++;
    }
    setitimer(ITIMER_REAL, &never, 0);
    say("answered", good + interrupted == 3000);
    say("wrong", wrong);
    say("left", descriptors() - before);
}

static void *many(void *unused) {
    long failures = 0;
    for (int i = 0; i < 50; i++) {
        long fd = allocate(4096, O_RDWR);
        if (fd < 0) { failures++; continue; }
        uint64_t flags = 3;
        if (call(fd, SYNC, &flags)) failures++;
        close(fd);
    }
    (void) unused;
    return (void *) failures;
}

static void case_threads(void) {
    pthread_t threads[32];
    long failures = 0;
    for (int i = 0; i < 32; i++) pthread_create(&threads[i], 0, many, 0);
    for (int i = 0; i < 32; i++) {
        void *each;
        pthread_join(threads[i], &each);
        failures += (long) each;
    }
    say("failures", failures);
}

static void case_killed(void) {
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (!child) for (;;) allocate(65536, O_RDWR);
        struct timespec moment = {0, 300000 + i * 17000};
        nanosleep(&moment, 0);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
    }
    say("afterwards", allocate(4096, O_RDWR) > 2);
}

static void case_limit(void) {
    struct rlimit limit = {32, 32};
    setrlimit(RLIMIT_NOFILE, &limit);
    long fd;
    int count = 0;
    while ((fd = allocate(4096, O_RDWR)) >= 0) count++;
    say("error", fd);
    say("some", count > 10);
}

static void *slow(void *unused) {
    allocate(1 << 20, O_RDWR);
    return unused;
}

// Blocks 20 threads in the gateway, then synchronizes. A line from standard input ends the case.
static void case_slow(void) {
    long fd = allocate(4096, O_RDWR);
    pthread_t threads[20];
    for (int i = 0; i < 20; i++) pthread_create(&threads[i], 0, slow, 0);
    printf("blocking=20\n");
    fflush(stdout);
    char line[16];
    if (!fgets(line, sizeof line, stdin)) exit(1);
    uint64_t flags = 3;
    int good = 0;
    for (int i = 0; i < 100; i++) good += call(fd, SYNC, &flags) == 0;
    say("synchronized", good);
    int null = open("/dev/null", O_RDWR);
    say("another file", call(null, DMA_HEAP_ALLOC, &flags));
    if (!fgets(line, sizeof line, stdin)) exit(1);
    for (int i = 0; i < 20; i++) pthread_join(threads[i], 0);
    say("joined", 20);
}

static void case_twice(void) {
    say("descriptor", allocate(4096, O_RDWR) > 2);
    char line[16];
    if (!fgets(line, sizeof line, stdin)) exit(1);
    say("descriptor again", allocate(4096, O_RDWR) > 2 ? 1 : allocate(4096, O_RDWR));
}

static void case_stay(void) {
    say("descriptor", allocate(4096, O_RDWR) > 2);
    char line[16];
    if (!fgets(line, sizeof line, stdin)) exit(1);
    struct dma_heap data = {4096, 0, O_RDWR, 0};
    say("after the end of the agent", call(heap_node, DMA_HEAP_ALLOC, &data));
    say("other calls", open("/dev/null", O_RDONLY) > 2);
}

static void case_many(void) {
    say("good", allocate(4096, O_RDWR) > 2);
    char line[16];
    if (!fgets(line, sizeof line, stdin)) exit(1);
}

// Receives calls in place of the agent, and answers them with EPERM.
static void *thief(void *unused) {
    while (!stop) {
        struct seccomp_notif call = {0};
        struct pollfd ready = {.fd = kept, .events = POLLIN};
        if (poll(&ready, 1, 1) != 1 || ioctl(kept, SECCOMP_IOCTL_NOTIF_RECV, &call)) continue;
        struct seccomp_notif_resp answer = {.id = call.id, .error = -EPERM};
        ioctl(kept, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return unused;
}

// Not joined: a thief that waits in RECV ends with the process.
static void case_thief(void) {
    pthread_t thread;
    pthread_create(&thread, 0, thief, 0);
    int stolen = 0, wrong = 0;
    for (int i = 0; i < 2000; i++) {
        long fd = allocate(4096, O_RDWR);
        if (fd >= 0) close(fd); else if (fd == -EPERM) stolen++; else wrong++;
    }
    say("stolen", stolen > 0);
    say("wrong", wrong);
}

static void case_nested(void) {
    say("second listener", install() < 0 ? -errno : 0);
}

#if defined(__x86_64__)
static long call32(int fd, uint32_t number, void *argument) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(54L), "b"((long) fd), "c"((long) number), "d"(argument)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int32_t) result;
}

static void case_compat(void) {
    long pid;
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20L) : "memory", "r8", "r9", "r10", "r11"); // no filter traps getpid
    say("programs of 32 bits", (int32_t) pid == getpid());
    if ((int32_t) pid != getpid()) return;
    char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct dma_heap *data = (void *) low;
    *data = (struct dma_heap){4096, 0, O_RDWR | O_CLOEXEC, 0};
    say("alloc", call32(heap_node, DMA_HEAP_ALLOC, data));
    say("cloexec", fcntl(data->fd, F_GETFD));
    int fd = data->fd;
    uint64_t *flags = (void *) low;
    *flags = 3;
    say("sync", call32(fd, SYNC, flags));
    strcpy(low, "name");
    say("name of 32 bits", call32(fd, 0x40046201, low));
    say("null", call32(heap_node, DMA_HEAP_ALLOC, 0));
}
#else
static void case_compat(void) { say("programs of 32 bits", 0); }
#endif

static void case_speed(void) {
    long fd = allocate(65536, O_RDWR);
    uint64_t flags = 3;
    struct timespec begin, end;
    for (int round = 0; round < 2; round++) {
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < 20000; i++) call(fd, SYNC, &flags);
        clock_gettime(CLOCK_MONOTONIC, &end);
        say("sync ns", ((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec) / 20000);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < 5000; i++) close(allocate(65536, O_RDWR));
        clock_gettime(CLOCK_MONOTONIC, &end);
        say("alloc ns", ((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec) / 5000);
    }
}

int main(int count, char **words) {
    if (count != 5) return 2;
    folder = words[2];
    kind = words[3];
    static const struct { const char *name; void (*run)(void); } cases[] = {
        {"alloc", case_alloc}, {"errors", case_errors}, {"structs", case_structs}, {"pointers", case_pointers},
        {"ion", case_ion}, {"simple", case_simple}, {"statuses", case_statuses}, {"flip", case_flip},
        {"unmap", case_unmap}, {"storm", case_storm}, {"threads", case_threads}, {"killed", case_killed},
        {"limit", case_limit}, {"slow", case_slow}, {"twice", case_twice}, {"stay", case_stay},
        {"nested", case_nested}, {"thief", case_thief}, {"many", case_many}, {"compat", case_compat}, {"speed", case_speed},
    };
    const char *user = getenv("CLIENT_UID");
    if (user && (setgid(atoi(user)) || setuid(atoi(user)))) die("setuid");
    heap_node = open_node("system");
    ion_node = open_node("ion");
    simple_node = open_node("simple");
    if (strcmp(kind, "oci")) attach(words[1]); else attach_container(words[1]);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!strcmp(cases[i].name, words[4])) {
            cases[i].run();
            return 0;
        }
    }
    return 2;
}
