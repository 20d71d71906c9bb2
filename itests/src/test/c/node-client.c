// SPDX-License-Identifier: Apache-2.0
// Program that knows only the dma-heap ABI of the kernel. It reads commands and prints one line for each:
//   alloc NODE BYTES   allocates, writes to all bytes and reads them back; prints ok, or the name of the error
//   check              reads the bytes of all buffers; prints ok, or the failure
//   free               closes all buffers
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_BUFFERS 64
#define BYTE 0x5a

struct dma_heap_allocation_data {
    uint64_t len;
    uint32_t fd;
    uint32_t fd_flags;
    uint64_t heap_flags;
};

static const char *check(int buffer) {
    off_t bytes = lseek(buffer, 0, SEEK_END);
    unsigned char *memory;
    const char *result = "ok";

    if (bytes <= 0) {
        return "no size";
    }
    memory = mmap(NULL, (size_t) bytes, PROT_READ, MAP_SHARED, buffer, 0);
    if (memory == MAP_FAILED) {
        return "no mapping";
    }
    for (off_t i = 0; i < bytes; i++) {
        if (memory[i] != BYTE) {
            result = "other bytes";
        }
    }
    munmap(memory, (size_t) bytes);
    return result;
}

static const char *allocate(const char *node, size_t bytes, int *buffer) {
    struct dma_heap_allocation_data data = {.len = bytes, .fd_flags = O_RDWR | O_CLOEXEC};
    int heap = open(node, O_RDONLY | O_CLOEXEC);
    void *memory;
    int result;

    if (heap < 0) {
        return strerrorname_np(errno);
    }
    result = ioctl(heap, _IOWR('H', 0, struct dma_heap_allocation_data), &data);
    if (result < 0) {
        result = errno;
        close(heap);
        return strerrorname_np(result);
    }
    close(heap);
    *buffer = (int) data.fd;
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *buffer, 0);
    if (memory == MAP_FAILED) {
        return "no mapping";
    }
    memset(memory, BYTE, bytes);
    munmap(memory, bytes);
    return check(*buffer);
}

int main(void) {
    char command[16], node[128];
    int buffers[MOST_BUFFERS];
    int count = 0;
    size_t bytes;

    setlinebuf(stdout);
    puts("ready");
    while (scanf("%15s", command) == 1) {
        if (!strcmp(command, "alloc") && count < MOST_BUFFERS && scanf("%127s %zu", node, &bytes) == 2) {
            int buffer = -1;
            const char *result = allocate(node, bytes, &buffer);
            if (buffer >= 0) {
                buffers[count++] = buffer;
            }
            puts(result);
        } else if (!strcmp(command, "check")) {
            const char *result = "ok";
            for (int i = 0; i < count && !strcmp(result, "ok"); i++) {
                result = check(buffers[i]);
            }
            puts(result);
        } else if (!strcmp(command, "free")) {
            while (count > 0) {
                close(buffers[--count]);
            }
            puts("ok");
        } else {
            puts("unknown command");
        }
    }
    return 0;
}
