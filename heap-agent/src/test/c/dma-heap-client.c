// SPDX-License-Identifier: Apache-2.0
//
// dma-heap-client NODE [LENGTH]: a program for /dev/dma_heap. An allocation of LENGTH bytes must fail with ENOMEM.
#include "rows.h"
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

static int allocate(int node, uint64_t length, uint32_t fd_flags) {
    struct dma_heap_allocation_data data = {.len = length, .fd_flags = fd_flags};
    return ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data) < 0 ? -1 : (int) data.fd;
}

static int allocate_with(int node, uint32_t fd, uint32_t fd_flags, uint64_t heap_flags) {
    struct dma_heap_allocation_data data = {.len = 4096, .fd = fd, .fd_flags = fd_flags, .heap_flags = heap_flags};
    return ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data) < 0 ? -1 : (int) data.fd;
}

// A structure of the first bytes of the kernel's, or of more bytes than it has.
static int allocate_sized(int node, unsigned size) {
    unsigned char bytes[64] = {0};
    struct dma_heap_allocation_data data = {.len = 4096, .fd_flags = O_RDWR | O_CLOEXEC};
    memcpy(bytes, &data, sizeof data);
    memset(bytes + sizeof data, 0xff, sizeof bytes - sizeof data);
    int result = ioctl(node, _IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, size), bytes);
    memcpy(&data, bytes, sizeof data);
    return result < 0 ? -1 : close((int) data.fd);
}

static int synchronize(int buffer, uint64_t flags) {
    struct dma_buf_sync sync = {flags};
    return ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync);
}

static bool is_dma_buf(int buffer) {
    char link[64];
    char path[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", buffer);
    return readlink(link, path, sizeof path - 1) > 0 && strncmp(path, "/dmabuf:", 8) == 0;
}

static void allocation(int node, uint64_t too_large) {
    ROW("length 0", allocate(node, 0, O_RDWR), EINVAL);
    ROW("length 2^64 - 1", allocate(node, UINT64_MAX, O_RDWR), EINVAL);
    ROW("length 2^64 - 4095", allocate(node, UINT64_MAX - 4094, O_RDWR), EINVAL);
    if (too_large != 0) {
        ROW("length that is too large", allocate(node, too_large, O_RDWR), ENOMEM);
    }
    ROW("fd 1", allocate_with(node, 1, O_RDWR, 0), EINVAL);
    ROW("fd_flags O_APPEND", allocate_with(node, 0, O_RDWR | O_APPEND, 0), EINVAL);
    ROW("fd_flags 2^31", allocate_with(node, 0, 1U << 31, 0), EINVAL);
    ROW("heap_flags 1", allocate_with(node, 0, O_RDWR, 1), EINVAL);
    ROW("heap_flags 2^63", allocate_with(node, 0, O_RDWR, 1ULL << 63), EINVAL);
    ROW("structure of 16 bytes", allocate_sized(node, 16), 0);
    ROW("structure of 32 bytes", allocate_sized(node, 32), 0);
    ROW("structure of 64 bytes", allocate_sized(node, 64), 0);
    ROW("pointer to no memory", ioctl(node, DMA_HEAP_IOCTL_ALLOC, (void *) 4096), EFAULT);
    ROW("closed node", allocate(1000, 4096, O_RDWR), EBADF);
}

static void brackets(int buffer) {
    ROW("SYNC START and READ", synchronize(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ), 0);
    ROW("SYNC END and READ", synchronize(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ), 0);
    ROW("SYNC START and RW", synchronize(buffer, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW), 0);
    ROW("SYNC END and RW", synchronize(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW), 0);
    ROW("SYNC END without START", synchronize(buffer, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW), 0);
    ROW("SYNC with bit 3", synchronize(buffer, DMA_BUF_SYNC_RW | 8), EINVAL);
    ROW("SYNC with bit 63", synchronize(buffer, DMA_BUF_SYNC_RW | 1ULL << 63), EINVAL);
    ROW("SYNC without READ and WRITE", synchronize(buffer, DMA_BUF_SYNC_START), EINVAL);
    ROW("SYNC, pointer to no memory", ioctl(buffer, DMA_BUF_IOCTL_SYNC, (void *) 4096), EFAULT);
}

static void names(int buffer) {
    char name[33];
    memset(name, 'n', sizeof name);
    name[31] = 0;
    ROW("name of 31 characters", ioctl(buffer, DMA_BUF_SET_NAME, name), 0);
    ROW("name of 31 characters, A", ioctl(buffer, DMA_BUF_SET_NAME_A, name), 0);
    ROW("name of 31 characters, B", ioctl(buffer, DMA_BUF_SET_NAME_B, name), 0);
    ROW("empty name", ioctl(buffer, DMA_BUF_SET_NAME, ""), 0);
    memset(name, 'n', sizeof name);
    name[32] = 0;
    ROW("name of 32 characters", ioctl(buffer, DMA_BUF_SET_NAME, name), EINVAL);
    ROW("name, pointer to no memory", ioctl(buffer, DMA_BUF_SET_NAME, (void *) 4096), EFAULT);
}

// What is different for a memfd is expected, and printed with its name.
static void file(int buffer, off_t size) {
    bool dma_buf = is_dma_buf(buffer);
    int refused = dma_buf ? EINVAL : 0;
    size_t length = (size_t) size + 1;
    printf("the buffer is a %s\n", dma_buf ? "dma-buf" : "memfd");
    ROW("unknown ioctl of a buffer", ioctl(buffer, _IO(DMA_BUF_BASE, 99)), ENOTTY);
    ROW("lseek CUR", lseek(buffer, 0, SEEK_CUR), refused);
    ROW("lseek SET with an offset", lseek(buffer, 4096, SEEK_SET), refused);
    ROW("lseek END with an offset", lseek(buffer, -4096, SEEK_END), refused);
    ROW("lseek SET", lseek(buffer, 0, SEEK_SET), 0);
    void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, buffer, 0);
    row("mmap past the end", map == MAP_FAILED ? errno : 0, refused);
    if (map != MAP_FAILED) {
        munmap(map, length);
    }
}

static void descriptor_flags(int node) {
    int buffer = allocate(node, 4096, O_RDONLY);
    HOLDS(buffer >= 0 && fcntl(buffer, F_GETFD) == 0);
    HOLDS((fcntl(buffer, F_GETFL) & O_ACCMODE) == O_RDONLY);
    ROW("writable map of a read-only buffer", mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, buffer, 0), EACCES);
    ROW("close", close(buffer), 0);
    buffer = allocate(node, 4096, O_RDWR | O_CLOEXEC);
    HOLDS(buffer >= 0 && fcntl(buffer, F_GETFD) == FD_CLOEXEC);
    HOLDS((fcntl(buffer, F_GETFL) & O_ACCMODE) == O_RDWR);
    ROW("close", close(buffer), 0);
}

int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "expected NODE [LENGTH]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int node = open_node(arguments[1], O_RDONLY);
    int writable = open_node(arguments[1], O_RDWR);
    allocation(node, count > 2 ? strtoull(arguments[2], NULL, 0) : 0);
    int buffer = allocate(node, 100000, O_RDWR | O_CLOEXEC);
    HOLDS(buffer >= 0);
    use(buffer, 100000);
    brackets(buffer);
    names(buffer);
    file(buffer, lseek(buffer, 0, SEEK_END));
    ROW("close", close(buffer), 0);
    ROW("SYNC of a closed buffer", synchronize(buffer, DMA_BUF_SYNC_RW), EBADF);
    descriptor_flags(node);
    ROW("allocation by a node open for writing", close(allocate(writable, 4096, O_RDWR)), 0);
    // 0x4801 is no dma-heap operation. The agent does not see it, and the null device has another error.
    int error = ioctl(node, _IO(DMA_HEAP_IOC_MAGIC, 1)) < 0 ? errno : 0;
    row("unknown ioctl of a heap", error == ENOTTY ? EINVAL : error, EINVAL);
    return end_of_rows();
}
