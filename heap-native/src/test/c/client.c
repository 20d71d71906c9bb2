/* SPDX-License-Identifier: Apache-2.0 */
/* Client of the tests: client PATH COMMAND ARGUMENT..., one line of output for each result. */
#include "dmaheap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct dmaheap gateway;

static int failed(int result) {
    printf("%d %s\n", result, gateway.error);
    return 1;
}

static int holding(const struct dmaheap_buffer *buffer) {
    char *memory = mmap(NULL, buffer->size, PROT_READ, MAP_SHARED, buffer->fd, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    printf("%" PRIu64 " %s %s %d\n", buffer->size, buffer->is_memfd ? "memfd" : "dma-buf", buffer->heap, memory[0]);
    fflush(stdout);
    getchar(); /* holds the memory until the test closes the standard input */
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return 2;
    }
    int result = dmaheap_connect(&gateway, argv[1]);
    if (result) {
        return failed(result);
    }
    const char *command = argv[2];
    struct dmaheap_buffer buffer;
    if (!strcmp(command, "identity")) {
        printf("%s\n", gateway.identity);
    } else if (!strcmp(command, "allocate")) {
        struct dmaheap_request request = {.size = strtoull(argv[3], NULL, 10), .name = "frame"};
        for (int i = 4; i < argc && i - 4 < DMAHEAP_LIST; i++) {
            request.heaps[i - 4] = argv[i];
        }
        result = dmaheap_allocate(&gateway, &request, &buffer);
        return result ? failed(result) : holding(&buffer);
    } else if (!strcmp(command, "open")) {
        result = dmaheap_open(&gateway, argv[3], 1, &buffer);
        return result ? failed(result) : holding(&buffer);
    } else if (!strcmp(command, "heaps")) {
        struct dmaheap_heap heaps[16];
        uint32_t count = 16, total;
        result = dmaheap_heaps(&gateway, 0, heaps, &count, &total);
        for (uint32_t i = 0; i < count; i++) {
            printf("%s %s %" PRIx64 "\n", heaps[i].name, heaps[i].type, heaps[i].mask);
        }
    } else if (!strcmp(command, "published")) {
        struct dmaheap_published buffers[16];
        uint32_t count = 16, total;
        result = dmaheap_published_list(&gateway, 0, buffers, &count, &total);
        for (uint32_t i = 0; i < count; i++) {
            printf("%s %" PRIu64 " %s\n", buffers[i].name, buffers[i].size, buffers[i].heap);
        }
    } else {
        struct dmaheap_usage usage;
        result = dmaheap_usage(&gateway, &usage);
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", usage.bytes, usage.buffers, usage.quota);
    }
    dmaheap_disconnect(&gateway);
    return result ? failed(result) : 0;
}
