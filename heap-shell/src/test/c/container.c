// SPDX-License-Identifier: Apache-2.0
// Program of a container: it makes ioctls of which a listener serves some, and prints the results.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

struct dma_heap_allocation_data {
    uint64_t len;
    uint32_t fd;
    uint32_t fd_flags;
    uint64_t heap_flags;
};

static void print(const char *call, int result) {
    printf("%s: %s\n", call, result < 0 ? strerrorname_np(errno) : "ok");
}

int main(void) {
    struct dma_heap_allocation_data data = {.len = 4096, .fd_flags = O_RDWR | O_CLOEXEC};
    struct stat node;
    int version, bytes;
    int fd = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &node) < 0) {
        perror("/dev/dma_heap/system");
        return 1;
    }
    printf("node: %c %u %u\n", S_ISCHR(node.st_mode) ? 'c' : '?', major(node.st_rdev), minor(node.st_rdev));
    print("allocation", ioctl(fd, _IOWR('H', 0, struct dma_heap_allocation_data), &data));
    print("version of ALSA's hwdep", ioctl(fd, _IOR('H', 0, int), &version));
    print("FIONREAD", ioctl(fd, FIONREAD, &bytes));
    print("swapon", swapon("/none", 0));
    return 0;
}
