/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of a DMA-BUF gateway's socket for native programs. One header, C99, Linux.
 *
 *     struct dmaheap gateway;
 *     struct dmaheap_request request = {.size = 1 << 20, .heaps = {"system"}};
 *     struct dmaheap_buffer buffer;
 *     if (dmaheap_connect(&gateway, NULL) || dmaheap_allocate(&gateway, &request, &buffer)) {
 *         fprintf(stderr, "%s\n", gateway.error);
 *     }
 *
 * Every function returns 0 or a negative error number, and then gateway.error has a sentence with cause and remedy.
 * The caller closes each descriptor with close(2), and the connection with dmaheap_disconnect, also after a failure.
 * After -EPROTO, or an error of the socket, the connection cannot be used any more. One thread at a time uses a
 * connection. A buffer is charged to this process's user until the last holder of its descriptor is gone.
 */
#ifndef DMAHEAP_H
#define DMAHEAP_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DMAHEAP_PATH "/run/dmaheap-gateway/native.socket"
#define DMAHEAP_VERSION 1
#define DMAHEAP_MAGIC 0x48414D44u
#define DMAHEAP_PACKET (16 * 1024)
#define DMAHEAP_LIST 8           /* most entries of each list in a request */
#define DMAHEAP_NAME 132         /* bytes of a name in a result, with its NUL; longer names are cut */
#define DMAHEAP_NO_QUOTA UINT64_MAX

enum { DMAHEAP_HELLO = 1, DMAHEAP_ALLOCATE, DMAHEAP_HEAPS, DMAHEAP_USAGE, DMAHEAP_PUBLISHED, DMAHEAP_OPEN };

/* Connection. */
struct dmaheap {
    int socket;
    uint64_t serial;
    char identity[DMAHEAP_NAME]; /* the client that memory is charged to, such as uid:1000 */
    char error[1024];            /* sentence of the last failure */
    size_t at, end;              /* next field and end of the packet */
    int failed;                  /* whether a field did not fit */
    uint8_t packet[DMAHEAP_PACKET];
};

/* Request for memory. Every field but the size is optional: 0 or NULL. A list ends with the first NULL. */
struct dmaheap_request {
    uint64_t size;
    uint64_t alignment;
    uint64_t mask;       /* ids of heaps, as bits */
    int read_only;       /* whether the descriptor permits only reading */
    uint32_t timeout_ms; /* how long to wait for memory that other holders release */
    uint32_t pid;        /* only for agents: the process that needs the memory */
    const char *name;
    const char *filter;  /* OSGi filter over the heap's properties, such as (heap.dmabuf=true) */
    const char *heaps[DMAHEAP_LIST];
    const char *devices[DMAHEAP_LIST];
    const char *demands[DMAHEAP_LIST];
    const char *emulations[DMAHEAP_LIST];
};

struct dmaheap_buffer {
    int fd;
    int is_memfd; /* otherwise a dma-buf */
    uint64_t size;
    char heap[DMAHEAP_NAME];
};

struct dmaheap_heap {
    char name[DMAHEAP_NAME];
    char type[DMAHEAP_NAME];
    uint64_t mask;  /* bit of the heap's id, or 0 */
    uint64_t used;  /* bytes that are charged to all clients */
    uint64_t quota; /* of the heap, or DMAHEAP_NO_QUOTA */
    int mappable, contiguous, dmabuf;
};

struct dmaheap_usage {
    uint64_t bytes, buffers;
    uint64_t quota; /* of this client, or DMAHEAP_NO_QUOTA */
};

struct dmaheap_published {
    char name[DMAHEAP_NAME];
    uint64_t size;
    char heap[DMAHEAP_NAME];
};

static inline int dmaheap_fail_(struct dmaheap *g, int error, const char *sentence) {
    snprintf(g->error, sizeof g->error, "%s: %s", sentence, strerror(error));
    return -error;
}

static inline void dmaheap_put_(struct dmaheap *g, const void *field, size_t bytes) {
    if (bytes > sizeof g->packet - g->at) {
        g->failed = 1;
        return;
    }
    memcpy(g->packet + g->at, field, bytes);
    g->at += bytes;
}

static inline void dmaheap_put16_(struct dmaheap *g, uint16_t value) { dmaheap_put_(g, &value, 2); }
static inline void dmaheap_put32_(struct dmaheap *g, uint32_t value) { dmaheap_put_(g, &value, 4); }
static inline void dmaheap_put64_(struct dmaheap *g, uint64_t value) { dmaheap_put_(g, &value, 8); }

static inline void dmaheap_put_text_(struct dmaheap *g, const char *text) {
    size_t length = text ? strlen(text) : 0;
    if (length > UINT16_MAX) {
        g->failed = 1;
        return;
    }
    dmaheap_put16_(g, (uint16_t)length);
    dmaheap_put_(g, text ? text : "", length);
}

static inline void dmaheap_put_list_(struct dmaheap *g, const char *const texts[DMAHEAP_LIST]) {
    uint16_t count = 0;
    while (count < DMAHEAP_LIST && texts[count]) {
        count++;
    }
    dmaheap_put16_(g, count);
    for (uint16_t i = 0; i < count; i++) {
        dmaheap_put_text_(g, texts[i]);
    }
}

static inline void dmaheap_get_(struct dmaheap *g, void *field, size_t bytes) {
    memset(field, 0, bytes);
    if (bytes > g->end - g->at) {
        g->failed = 1;
        return;
    }
    memcpy(field, g->packet + g->at, bytes);
    g->at += bytes;
}

static inline uint16_t dmaheap_get16_(struct dmaheap *g) { uint16_t v; dmaheap_get_(g, &v, 2); return v; }
static inline uint32_t dmaheap_get32_(struct dmaheap *g) { uint32_t v; dmaheap_get_(g, &v, 4); return v; }
static inline uint64_t dmaheap_get64_(struct dmaheap *g) { uint64_t v; dmaheap_get_(g, &v, 8); return v; }

static inline void dmaheap_get_text_(struct dmaheap *g, char *text, size_t space) {
    size_t length = dmaheap_get16_(g);
    if (length > g->end - g->at) {
        g->failed = 1;
        length = 0;
    }
    size_t kept = length < space ? length : space - 1;
    memcpy(text, g->packet + g->at, kept);
    text[kept] = 0;
    g->at += length;
}

/* Begins a request; the caller then puts its fields. */
static inline void dmaheap_begin_(struct dmaheap *g) {
    g->at = 24;
    g->failed = 0;
}

/* Closes all descriptors of a received message but the first, which it returns, or -1. */
static inline int dmaheap_descriptor_(struct msghdr *message) {
    int first = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd;
            memcpy(&fd, (char *)c + at, sizeof fd);
            if (first < 0) {
                first = fd;
            } else {
                close(fd);
            }
        }
    }
    return first;
}

/* Sends the request and receives its reply, whose result begins at g->at. *fd becomes its descriptor, or -1. */
static inline int dmaheap_ask_(struct dmaheap *g, uint16_t operation, int *fd) {
    *fd = -1;
    size_t size = g->at;
    if (g->failed) {
        return dmaheap_fail_(g, EMSGSIZE, "the request is longer than a packet");
    }
    g->serial++;
    g->at = 0;
    dmaheap_put32_(g, DMAHEAP_MAGIC);
    dmaheap_put16_(g, DMAHEAP_VERSION);
    dmaheap_put16_(g, operation);
    dmaheap_put32_(g, (uint32_t)size);
    dmaheap_put32_(g, 0);
    dmaheap_put64_(g, g->serial);
    ssize_t moved;
    do {
        moved = send(g->socket, g->packet, size, MSG_NOSIGNAL);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return dmaheap_fail_(g, errno, "sending to the gateway failed");
    }
    union { struct cmsghdr header; char bytes[CMSG_SPACE(4 * sizeof(int))]; } control;
    struct iovec part = {g->packet, sizeof g->packet};
    struct msghdr message;
    do {
        memset(&message, 0, sizeof message);
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        moved = recvmsg(g->socket, &message, MSG_CMSG_CLOEXEC);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return dmaheap_fail_(g, errno, "receiving from the gateway failed");
    }
    *fd = dmaheap_descriptor_(&message);
    g->at = 0;
    g->end = (size_t)moved;
    g->failed = 0;
    int ours = dmaheap_get32_(g) == DMAHEAP_MAGIC;
    ours &= dmaheap_get16_(g) == DMAHEAP_VERSION;
    uint16_t replied = dmaheap_get16_(g);
    ours &= dmaheap_get32_(g) == (uint32_t)moved;
    ours &= dmaheap_get32_(g) == 1;
    uint64_t serial = dmaheap_get64_(g);
    int32_t status = (int32_t)dmaheap_get32_(g);
    dmaheap_get32_(g);
    int result;
    if (moved == 0) {
        result = dmaheap_fail_(g, ECONNRESET, "the gateway has disconnected");
    } else if (!ours || g->failed || status > 0 || (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
        result = dmaheap_fail_(g, EPROTO, "the packet is not a reply of this protocol");
    } else if (status < 0) { /* also for a connection that is refused, whose reply has no serial number */
        dmaheap_get_text_(g, g->error, sizeof g->error);
        result = status;
    } else if (replied != operation || serial != g->serial) {
        result = dmaheap_fail_(g, EPROTO, "the packet is the reply to another request");
    } else {
        return 0;
    }
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return result;
}

static inline int dmaheap_end_(struct dmaheap *g) {
    return g->failed || g->at != g->end ? dmaheap_fail_(g, EPROTO, "the reply has another length") : 0;
}

static inline void dmaheap_disconnect(struct dmaheap *g) {
    if (g->socket >= 0) {
        close(g->socket);
        g->socket = -1;
    }
}

static inline int dmaheap_connect_as_(struct dmaheap *g, const char *path, uint32_t role, uint32_t pid,
                                      const char *kind, const char *name, const char *origin) {
    memset(g, 0, sizeof *g);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *to = path ? path : DMAHEAP_PATH;
    g->socket = -1;
    if (strlen(to) >= sizeof address.sun_path) {
        return dmaheap_fail_(g, ENAMETOOLONG, "the path of the gateway's socket is too long");
    }
    memcpy(address.sun_path, to, strlen(to) + 1);
    g->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (g->socket < 0) {
        return dmaheap_fail_(g, errno, "making a socket failed");
    }
    if (connect(g->socket, (struct sockaddr *)&address, sizeof address) < 0) {
        return dmaheap_fail_(g, errno, "connecting to the gateway failed");
    }
    dmaheap_begin_(g);
    dmaheap_put16_(g, DMAHEAP_VERSION);
    dmaheap_put16_(g, DMAHEAP_VERSION);
    dmaheap_put32_(g, role);
    dmaheap_put32_(g, pid);
    dmaheap_put_text_(g, kind);
    dmaheap_put_text_(g, name);
    dmaheap_put_text_(g, origin);
    int fd;
    int result = dmaheap_ask_(g, DMAHEAP_HELLO, &fd);
    if (result) {
        return result;
    }
    if (fd >= 0) {
        close(fd);
    }
    dmaheap_get32_(g); /* version, reserved */
    dmaheap_get_text_(g, g->identity, sizeof g->identity);
    return dmaheap_end_(g);
}

/* Connects as this process's user. path is DMAHEAP_PATH if it is NULL. */
static inline int dmaheap_connect(struct dmaheap *g, const char *path) {
    return dmaheap_connect_as_(g, path, 0, 0, NULL, NULL, NULL);
}

/* Connects for another client, which only an agent of the gateway's configuration may name. */
static inline int dmaheap_connect_agent(struct dmaheap *g, const char *path, uint32_t pid, const char *kind,
                                        const char *name, const char *origin) {
    return dmaheap_connect_as_(g, path, 1, pid, kind, name, origin);
}

static inline int dmaheap_buffer_(struct dmaheap *g, uint16_t operation, struct dmaheap_buffer *buffer) {
    memset(buffer, 0, sizeof *buffer);
    buffer->fd = -1;
    int fd;
    int result = dmaheap_ask_(g, operation, &fd);
    if (result) {
        return result;
    }
    buffer->size = dmaheap_get64_(g);
    buffer->is_memfd = dmaheap_get32_(g) == 1;
    dmaheap_get32_(g);
    dmaheap_get_text_(g, buffer->heap, sizeof buffer->heap);
    result = dmaheap_end_(g);
    if (!result && fd < 0) {
        result = dmaheap_fail_(g, EPROTO, "the reply has no descriptor");
    }
    if (result && fd >= 0) {
        close(fd);
        fd = -1;
    }
    buffer->fd = fd;
    return result;
}

/* Allocates zeroed memory. The caller closes buffer->fd. */
static inline int dmaheap_allocate(struct dmaheap *g, const struct dmaheap_request *r, struct dmaheap_buffer *buffer) {
    dmaheap_begin_(g);
    dmaheap_put64_(g, r->size);
    dmaheap_put64_(g, r->alignment);
    dmaheap_put64_(g, r->mask);
    dmaheap_put32_(g, r->read_only ? 1 : 0);
    dmaheap_put32_(g, r->timeout_ms);
    dmaheap_put32_(g, r->pid);
    dmaheap_put32_(g, 0);
    dmaheap_put_text_(g, r->name);
    dmaheap_put_list_(g, r->heaps);
    dmaheap_put_text_(g, r->filter);
    dmaheap_put_list_(g, r->devices);
    dmaheap_put_list_(g, r->demands);
    dmaheap_put_list_(g, r->emulations);
    return dmaheap_buffer_(g, DMAHEAP_ALLOCATE, buffer);
}

/* Opens a published buffer, for reading and writing unless read_only is set. The caller closes buffer->fd. */
static inline int dmaheap_open(struct dmaheap *g, const char *name, int read_only, struct dmaheap_buffer *buffer) {
    dmaheap_begin_(g);
    dmaheap_put32_(g, read_only ? 1 : 0);
    dmaheap_put32_(g, 0);
    dmaheap_put_text_(g, name);
    return dmaheap_buffer_(g, DMAHEAP_OPEN, buffer);
}

/* Requests a part of a list; the entries then begin at g->at. */
static inline int dmaheap_part_(struct dmaheap *g, uint16_t operation, uint32_t first, uint32_t *total,
                                uint16_t *entries) {
    dmaheap_begin_(g);
    dmaheap_put32_(g, first);
    dmaheap_put32_(g, 0);
    int fd;
    int result = dmaheap_ask_(g, operation, &fd);
    if (fd >= 0) {
        close(fd);
    }
    *total = result ? 0 : dmaheap_get32_(g);
    *entries = result ? 0 : dmaheap_get16_(g);
    return result;
}

/*
 * Lists the heaps that this client may use, from the index first. *count is the space in heaps, and becomes the number
 * of heaps in it. *total becomes the number of all.
 */
static inline int dmaheap_heaps(struct dmaheap *g, uint32_t first, struct dmaheap_heap *heaps, uint32_t *count,
                                uint32_t *total) {
    uint16_t entries;
    uint32_t space = *count;
    *count = 0;
    int result = dmaheap_part_(g, DMAHEAP_HEAPS, first, total, &entries);
    for (uint16_t i = 0; i < entries && !g->failed; i++) {
        struct dmaheap_heap heap;
        dmaheap_get_text_(g, heap.name, sizeof heap.name);
        dmaheap_get_text_(g, heap.type, sizeof heap.type);
        heap.mask = dmaheap_get64_(g);
        heap.used = dmaheap_get64_(g);
        heap.quota = dmaheap_get64_(g);
        uint32_t flags = dmaheap_get32_(g);
        heap.mappable = (flags & 1) != 0;
        heap.contiguous = (flags & 2) != 0;
        heap.dmabuf = (flags & 4) != 0;
        if (*count < space) {
            heaps[(*count)++] = heap;
        }
    }
    return result ? result : dmaheap_end_(g);
}

/* Lists the published buffers that this client may open, as dmaheap_heaps does. */
static inline int dmaheap_published_list(struct dmaheap *g, uint32_t first, struct dmaheap_published *buffers,
                                         uint32_t *count, uint32_t *total) {
    uint16_t entries;
    uint32_t space = *count;
    *count = 0;
    int result = dmaheap_part_(g, DMAHEAP_PUBLISHED, first, total, &entries);
    for (uint16_t i = 0; i < entries && !g->failed; i++) {
        struct dmaheap_published buffer;
        dmaheap_get_text_(g, buffer.name, sizeof buffer.name);
        buffer.size = dmaheap_get64_(g);
        dmaheap_get_text_(g, buffer.heap, sizeof buffer.heap);
        if (*count < space) {
            buffers[(*count)++] = buffer;
        }
    }
    return result ? result : dmaheap_end_(g);
}

/* Reports the memory that is charged to this client. */
static inline int dmaheap_usage(struct dmaheap *g, struct dmaheap_usage *usage) {
    memset(usage, 0, sizeof *usage);
    dmaheap_begin_(g);
    int fd;
    int result = dmaheap_ask_(g, DMAHEAP_USAGE, &fd);
    if (result) {
        return result;
    }
    if (fd >= 0) {
        close(fd);
    }
    usage->bytes = dmaheap_get64_(g);
    usage->buffers = dmaheap_get64_(g);
    usage->quota = dmaheap_get64_(g);
    return dmaheap_end_(g);
}

#endif
