// SPDX-License-Identifier: Apache-2.0
//
// ion-client NODE [LENGTH]: a program for /dev/ion of Linux 4.12 and later. An allocation of LENGTH bytes must fail with
// ENOMEM.
#include "rows.h"

struct allocation {
    uint64_t length;
    uint32_t mask;
    uint32_t flags;
    uint32_t fd;
    uint32_t unused;
};

struct heap {
    char name[32];
    uint32_t type;
    uint32_t id;
    uint32_t reserved[3];
};

struct query {
    uint32_t count;
    uint32_t reserved0;
    uint64_t heaps;
    uint32_t reserved1;
    uint32_t reserved2;
};

#define ALLOCATE _IOWR('I', 0, struct allocation)
#define QUERY _IOWR('I', 8, struct query)
#define CACHED 1

static int allocate(int node, uint64_t length, uint32_t mask) {
    struct allocation data = {.length = length, .mask = mask, .flags = CACHED};
    return ioctl(node, ALLOCATE, &data) < 0 ? -1 : (int) data.fd;
}

static int ask(int node, struct query query) {
    return ioctl(node, QUERY, &query);
}

int main(int count, char **arguments) {
    _Static_assert(ALLOCATE == 0xC0184900 && QUERY == 0xC0184908 && sizeof(struct heap) == 52, "the documented numbers");
    if (count < 2) {
        fprintf(stderr, "expected NODE [LENGTH]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int node = open_node(arguments[1], O_RDONLY);
    struct query all = {0};
    ROW("HEAP_QUERY of the number", ioctl(node, QUERY, &all), 0);
    HOLDS(all.count > 0);
    if (all.count == 0 || all.count > 64) {
        return end_of_rows();
    }

    struct heap heaps[65];
    memset(heaps, 0xff, sizeof heaps);
    all.heaps = (uintptr_t) heaps;
    uint32_t number = all.count;
    ROW("HEAP_QUERY of the heaps", ioctl(node, QUERY, &all), 0);
    HOLDS(all.count == number);
    uint32_t known = 0;
    for (uint32_t i = 0; i < number; i++) {
        printf("heap %u, type %u: %.32s\n", heaps[i].id, heaps[i].type, heaps[i].name);
        HOLDS(heaps[i].id < 32 && memchr(heaps[i].name, 0, sizeof heaps[i].name) != NULL);
        known |= heaps[i].id < 32 ? UINT32_C(1) << heaps[i].id : 0;
        int buffer = allocate(node, 100000, UINT32_C(1) << heaps[i].id);
        HOLDS(buffer >= 0 && fcntl(buffer, F_GETFD) == FD_CLOEXEC);
        use(buffer, 100000);
        ROW("close", close(buffer), 0);
    }
    HOLDS((unsigned char) heaps[number].name[0] == 0xff);
    memset(heaps, 0xff, sizeof heaps);
    struct query one = {.count = 1, .heaps = (uintptr_t) heaps};
    ROW("HEAP_QUERY of one heap", ioctl(node, QUERY, &one), 0);
    HOLDS(one.count == 1 && (unsigned char) heaps[1].name[0] == 0xff);
    ROW("HEAP_QUERY of no heap", ask(node, (struct query) {.heaps = (uintptr_t) heaps}), EINVAL);
    ROW("HEAP_QUERY, first reserved field", ask(node, (struct query) {.reserved0 = 1}), EINVAL);
    ROW("HEAP_QUERY, second reserved field", ask(node, (struct query) {.reserved1 = 1}), EINVAL);
    ROW("HEAP_QUERY, third reserved field", ask(node, (struct query) {.reserved2 = 1}), EINVAL);
    ROW("HEAP_QUERY, heaps in no memory", ask(node, (struct query) {.count = 1, .heaps = 4096}), EFAULT);
    ROW("HEAP_QUERY, pointer to no memory", ioctl(node, QUERY, (void *) 4096), EFAULT);

    ROW("all heaps", close(allocate(node, 4096, UINT32_MAX)), 0);
    ROW("mask 0", allocate(node, 4096, 0), ENODEV);
    if (known != UINT32_MAX) {
        ROW("mask of no heap", allocate(node, 4096, ~known), ENODEV);
    }
    ROW("length 0", allocate(node, 0, UINT32_MAX), EINVAL);
    ROW("length 2^64 - 1", allocate(node, UINT64_MAX, UINT32_MAX), EINVAL);
    if (count > 2) {
        ROW("length that is too large", allocate(node, strtoull(arguments[2], NULL, 0), UINT32_MAX), ENOMEM);
    }
    ROW("pointer to no memory", ioctl(node, ALLOCATE, (void *) 4096), EFAULT);
    ROW("unknown ioctl", ioctl(node, _IO('I', 99)), ENOTTY);
    return end_of_rows();
}
