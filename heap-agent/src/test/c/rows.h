// SPDX-License-Identifier: Apache-2.0
//
// Prints a line for each row of a table of results, and counts the rows that differ from what a kernel's heap gives.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int differing;

static const char *named(int error) {
    return error == 0 ? "0" : strerrorname_np(error);
}

static void row(const char *name, int error, int expected) {
    bool same = error == expected;
    differing += !same;
    printf("%s %s: %s", same ? "same   " : "DIFFERS", name, named(error));
    printf(same ? "\n" : ", expected %s\n", named(expected));
}

// The error number of a call that returns a negative result or MAP_FAILED if it fails.
#define ROW(name, call, expected) row(name, (errno = 0, (intptr_t) (call)) < 0 ? errno : 0, expected)

// A condition of a buffer or an answer.
#define HOLDS(condition) row(#condition, (condition) ? 0 : EPROTO, 0)

static int open_node(const char *path, int access) {
    int node = open(path, access | O_CLOEXEC);
    if (node < 0) {
        perror(path);
        exit(2);
    }
    return node;
}

// Fails if a buffer of the given size at least cannot be mapped, is not zeroed, or loses what is written.
static void use(int buffer, size_t size) {
    off_t end = lseek(buffer, 0, SEEK_END);
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    HOLDS(end == (off_t) ((size + page - 1) / page * page));
    unsigned char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
    unsigned char *again = mmap(NULL, size, PROT_READ, MAP_SHARED, buffer, 0);
    HOLDS(bytes != MAP_FAILED && again != MAP_FAILED);
    if (bytes == MAP_FAILED || again == MAP_FAILED) {
        return;
    }
    size_t zeros = 0;
    for (size_t i = 0; i < size; i++) {
        zeros += bytes[i] == 0;
    }
    HOLDS(zeros == size);
    memset(bytes, 0x5a, size);
    HOLDS(memcmp(bytes, again, size) == 0);
    HOLDS(munmap(bytes, size) == 0 && munmap(again, size) == 0);
}

static int end_of_rows(void) {
    printf("%d rows differ\n", differing);
    return differing == 0 ? 0 : 1;
}
