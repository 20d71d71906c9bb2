/* SPDX-License-Identifier: Apache-2.0 */
/* Example of a native client in C: cc -std=c99 -I ../../clients/c frame.c -o frame; ./frame [SOCKET] */
#include "dmaheap.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

int main(int count, char **arguments) {
    struct dmaheap gateway;
    struct dmaheap_request request = {.size = 1 << 20, .heaps = {"system"}, .name = "frame"};
    struct dmaheap_buffer buffer;
    int status = 1;

    if (dmaheap_connect(&gateway, count > 1 ? arguments[1] : NULL) == 0
        && dmaheap_allocate(&gateway, &request, &buffer) == 0) {
        char *memory = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer.fd, 0);
        if (memory == MAP_FAILED) {
            perror("mmap");
        } else {
            memcpy(memory, "hello", sizeof "hello");
            printf("%s from %" PRIu64 " bytes of heap %s, charged to %s\n", memory, buffer.size, buffer.heap,
                   gateway.identity);
            munmap(memory, buffer.size);
            status = 0;
        }
        close(buffer.fd);
    } else {
        fprintf(stderr, "%s\n", gateway.error);
    }
    dmaheap_disconnect(&gateway);
    return status;
}
