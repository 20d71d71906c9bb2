// SPDX-License-Identifier: Apache-2.0
//
// simple-client NODE [LENGTH]: a program for /dev/cmaN of the simple allocator. An allocation of LENGTH bytes must fail.
#include "rows.h"

struct allocation {
    uint64_t version;
    uint64_t length;
    uint32_t flags;
    uint32_t reserved1;
    int32_t fd;
    uint32_t reserved2;
};

#define ALLOCATE _IOWR('S', 0, struct allocation)

static int allocate(int node, uint64_t version, uint64_t length, uint32_t flags) {
    struct allocation data = {.version = version, .length = length, .flags = flags, .fd = -1};
    return ioctl(node, ALLOCATE, &data) < 0 ? -1 : data.fd;
}

int main(int count, char **arguments) {
    _Static_assert(ALLOCATE == 0xC0205300, "the documented number");
    if (count < 2) {
        fprintf(stderr, "expected NODE [LENGTH]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int node = open_node(arguments[1], O_RDWR);
    int buffer = allocate(node, 0, 100000, O_CLOEXEC);
    HOLDS(buffer >= 0 && fcntl(buffer, F_GETFD) == FD_CLOEXEC);
    use(buffer, 100000);
    ROW("close", close(buffer), 0);
    ROW("version 1", allocate(node, 1, 4096, 0), EINVAL);
    ROW("version 2^63", allocate(node, UINT64_C(1) << 63, 4096, 0), EINVAL);
    ROW("length 0", allocate(node, 0, 0, 0), EINVAL);
    ROW("length 2^64 - 1", allocate(node, 0, UINT64_MAX, 0), EINVAL);
    if (count > 2) {
        ROW("length that is too large", allocate(node, 0, strtoull(arguments[2], NULL, 0), 0), EINVAL);
    }
    ROW("pointer to no memory", ioctl(node, ALLOCATE, (void *) 4096), EFAULT);
    ROW("unknown ioctl", ioctl(node, _IO('S', 99)), ENOTTY);
    return end_of_rows();
}
