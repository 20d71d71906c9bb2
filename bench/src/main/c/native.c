// SPDX-License-Identifier: Apache-2.0
//
// Times of a program that allocates from a node of the agent, beside the same memory made by the program itself, and
// beside the gateway's socket. bench/native starts it:
//   native SOCKET NODE SAMPLES TITLE   prints a table; the program must run under dmaheap-run
//   native p99 SOCKET NODE SAMPLES     prints lines of a name, the p99, and 1 for an operation of gateway or agent
//   native load NODE                   allocates until a signal ends it
//   native wait NODE                   allocates once, from a heap that does not answer
//   native kernel NODE SAMPLES TITLE   prints the table of a node of the kernel
//   native twin NODE SAMPLES TITLE     prints the table of an agent and a gateway in C; the node is the null device
// An operation is one sample. The operations take turns of some samples, so that the work which one of them leaves
// to other processes is over before the next one begins.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../../../clients/c/dmaheap.h"
#include "native_twin.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8
#endif

#define SIZE (64 << 10)
#define TURN 20
#define MOST_SAMPLES 1000000

static int node = -1;
static int synced = -1; // a buffer of the node, for SYNC
static struct dmaheap gateway;

static void fail(const char *operation) {
    perror(operation);
    exit(1);
}

static void require(int result, const char *operation) {
    if (result < 0) {
        fail(operation);
    }
}

// The system heap's own calls.
static int direct(void) {
    int fd = memfd_create("system", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    require(fd, "memfd_create");
    require(fallocate(fd, 0, 0, SIZE), "fallocate");
    require(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), "F_ADD_SEALS");
    return fd;
}

static int from_node(void) {
    struct dma_heap_allocation_data data = {.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC};
    require(ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data), "DMA_HEAP_IOCTL_ALLOC");
    return (int) data.fd;
}

static int from_socket(void) {
    struct dmaheap_request request = {.size = SIZE, .heaps = {"system"}};
    struct dmaheap_buffer buffer;
    if (dmaheap_allocate(&gateway, &request, &buffer) < 0) {
        fprintf(stderr, "ALLOCATE: %s\n", gateway.error);
        exit(1);
    }
    return buffer.fd;
}

static void release(int fd) { require(close(fd), "close"); }

static void use(int fd) {
    void *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        fail("mmap");
    }
    memset(bytes, 0x5a, SIZE);
    require(munmap(bytes, SIZE), "munmap");
}

static void sync_buffer(uint64_t flags) {
    struct dma_buf_sync sync = {.flags = flags};
    require(ioctl(synced, DMA_BUF_IOCTL_SYNC, &sync), "DMA_BUF_IOCTL_SYNC");
}

// An operation: the part that is timed, and the end of it that is not.
struct operation {
    const char *name;
    int (*begin)(void); // returns a descriptor, or -1
    bool uses, closes;  // whether the time contains mapping, filling and unmapping, and the close
    int beside;         // index of the operation whose median is subtracted, or -1
    int most;           // the target for the difference in microseconds, or 0
    double *micros;
};

static int sync_start(void) { sync_buffer(DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW); return -1; }
static int sync_end(void) { sync_buffer(DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW); return -1; }

// A system call that the filter permits.
static int untrapped(void) {
    require(fcntl(synced, F_GETFD), "F_GETFD");
    return -1;
}

// Without targets, which are those of the gateway and its agent.
static struct operation twin[] = {
    {"ALLOC, memfd of its own", direct, .beside = -1},
    {"ALLOC, node in C", from_node, .beside = 0},
    {"ALLOC, socket in C", twin_allocate, .beside = 0},
    {"ALLOC and close, memfd of its own", direct, .closes = true, .beside = -1},
    {"ALLOC and close, node in C", from_node, .closes = true, .beside = 3},
    {"ALLOC and close, socket in C", twin_allocate, .closes = true, .beside = 3},
    {"whole life, memfd of its own", direct, .uses = true, .closes = true, .beside = -1},
    {"whole life, node in C", from_node, .uses = true, .closes = true, .beside = 6},
    {"whole life, socket in C", twin_allocate, .uses = true, .closes = true, .beside = 6},
    {"untrapped system call", untrapped, .beside = -1},
    {"SYNC START in C", sync_start, .beside = 9},
    {"SYNC END in C", sync_end, .beside = 9},
    {NULL},
};

static struct operation program[] = {
    {"ALLOC, memfd of its own", direct, .beside = -1},
    {"ALLOC, node", from_node, .beside = 0, .most = 30},
    {"ALLOC, socket", from_socket, .beside = 0},
    {"ALLOC and close, memfd of its own", direct, .closes = true, .beside = -1},
    {"ALLOC and close, node", from_node, .closes = true, .beside = 3},
    {"ALLOC and close, socket", from_socket, .closes = true, .beside = 3},
    {"whole life, memfd of its own", direct, .uses = true, .closes = true, .beside = -1},
    {"whole life, node", from_node, .uses = true, .closes = true, .beside = 6},
    {"whole life, socket", from_socket, .uses = true, .closes = true, .beside = 6},
    {"untrapped system call", untrapped, .beside = -1},
    {"SYNC START, node's buffer", sync_start, .beside = 9, .most = 10},
    {"SYNC END, node's buffer", sync_end, .beside = 9, .most = 10},
    {NULL},
};

static struct operation kernel[] = {
    {"ALLOC, kernel's heap", from_node, .beside = -1},
    {"ALLOC and close, kernel's heap", from_node, .closes = true, .beside = -1},
    {"whole life, kernel's heap", from_node, .uses = true, .closes = true, .beside = -1},
    {"SYNC START, its buffer", sync_start, .beside = -1},
    {"SYNC END, its buffer", sync_end, .beside = -1},
    {NULL},
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3;
}

static double sample(const struct operation *operation) {
    double begin = now();
    int fd = operation->begin();
    if (operation->uses) {
        use(fd);
    }
    if (operation->closes) {
        release(fd);
    }
    double end = now();
    if (fd >= 0 && !operation->closes) {
        release(fd);
    }
    return end - begin;
}

static void measure(struct operation *operations, int samples) {
    for (int done = 0; done < samples; done += TURN) {
        for (struct operation *next = operations; next->name; next++) {
            for (int i = done; i < done + TURN && i < samples; i++) {
                next->micros[i] = sample(next);
            }
        }
    }
}

static int ascending(const void *left, const void *right) {
    double difference = *(const double *) left - *(const double *) right;
    return (difference > 0) - (difference < 0);
}

static double quantile(const struct operation *operation, int samples, double part) {
    return operation->micros[(int) (samples * part)];
}

static void print_p99(const struct operation *operations, int samples) {
    for (const struct operation *next = operations; next->name; next++) {
        printf("%s\t%.1f\t%d\n", next->name, quantile(next, samples, 0.99), next->beside >= 0);
    }
}

static void print(const char *title, const struct operation *operations, int samples) {
    printf("## %s\n\n", title);
    printf("| operation | median | p99 | p99.9 | over direct | at most |\n|---|---:|---:|---:|---:|---:|\n");
    for (const struct operation *next = operations; next->name; next++) {
        double median = quantile(next, samples, 0.5);
        printf("| %s | %.1f µs | %.1f µs | %.1f µs |", next->name, median, quantile(next, samples, 0.99),
               quantile(next, samples, 0.999));
        double over = next->beside < 0 ? 0 : median - quantile(&operations[next->beside], samples, 0.5);
        next->beside < 0 ? printf(" | |\n") : next->most == 0 ? printf(" %+.1f µs | |\n", over)
            : printf(" %+.1f µs | %d µs, %s |\n", over, next->most, over <= next->most ? "met" : "**missed**");
    }
    printf("\n");
}

static int number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < TURN || value > MOST_SAMPLES) {
        fprintf(stderr, "invalid SAMPLES = %s: expected %d to %d\n", text, TURN, MOST_SAMPLES);
        exit(2);
    }
    return (int) value;
}

int main(int count, char **arguments) {
    bool load = count == 3 && strcmp(arguments[1], "load") == 0;
    bool wait = count == 3 && strcmp(arguments[1], "wait") == 0;
    bool p99 = count == 5 && strcmp(arguments[1], "p99") == 0;
    if (!load && !wait && count != 5) {
        fprintf(stderr, "expected [p99] SOCKET NODE SAMPLES, TITLE without p99; or load NODE, or wait NODE,"
                        " or kernel or twin NODE SAMPLES TITLE\n");
        return 2;
    }
    arguments += p99;
    require(node = open(arguments[2], O_RDWR | O_CLOEXEC), arguments[2]);
    do {
        if (load || wait) {
            release(from_node());
        }
    } while (load);
    if (wait) {
        return 0;
    }
    int samples = number(arguments[3]);
    struct operation *operations = kernel;
    if (strcmp(arguments[1], "twin") == 0) {
        operations = twin;
        twin_start(direct);
    } else if (strcmp(arguments[1], "kernel") != 0) {
        operations = program;
        if (dmaheap_connect(&gateway, arguments[1]) < 0) {
            fprintf(stderr, "HELLO: %s\n", gateway.error);
            return 1;
        }
    }
    synced = from_node();
    for (struct operation *next = operations; next->name; next++) {
        if (!(next->micros = malloc((size_t) samples * sizeof(double)))) {
            fail("malloc");
        }
    }
    measure(operations, samples); // both Java processes compile what is used
    measure(operations, samples);
    for (struct operation *next = operations; next->name; next++) {
        qsort(next->micros, (size_t) samples, sizeof(double), ascending);
    }
    p99 ? print_p99(operations, samples) : print(arguments[4], operations, samples);
    for (struct operation *next = operations; next->name; next++) {
        free(next->micros);
    }
    release(synced);
    release(node);
    if (operations == program) {
        dmaheap_disconnect(&gateway);
    }
    return 0;
}
