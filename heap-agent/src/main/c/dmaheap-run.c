// SPDX-License-Identifier: Apache-2.0
//
// Starts a program whose heap nodes the agent serves. The program sees the null device at the paths of the nodes, and a
// seccomp filter hands its allocations to the agent. docs/native.md has the protocol of the agent's socket.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

// Before glibc 2.36, the headers have neither these nor the functions.
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define DEFAULT_SOCKET "/run/dmaheap-agent/run.socket"

// Where a folder that this process covers is still visible, in the folder itself.
#define COVERED ".covered"

// The machine's two architectures, and the number of ioctl in each.
#if defined(__x86_64__)
#define ARCH_64 AUDIT_ARCH_X86_64
#define IOCTL_64 16
#define ARCH_32 AUDIT_ARCH_I386
#define IOCTL_32 54
#elif defined(__aarch64__)
#define ARCH_64 AUDIT_ARCH_AARCH64
#define IOCTL_64 29
#define ARCH_32 AUDIT_ARCH_ARM
#define IOCTL_32 54
#else
#error "dmaheap-run is for amd64 and arm64"
#endif

enum {
    MAGIC = 0x4C414D44,
    VERSION = 1,
    NODES = 1,
    ATTACH = 2,
    HEADER = 16,
    PACKET = 8192,
    MAX_NODES = 128,
    MAX_GROUPS = 256,
    ANSWER_SECONDS = 10,
    EXIT_FAILED = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
};

struct packet {
    uint32_t magic;
    uint16_t version;
    uint16_t operation;
    int32_t status;
    uint32_t reserved;
    // With the zero that ends it here, which is not sent.
    char text[PACKET - HEADER + 1];
};
_Static_assert(offsetof(struct packet, text) == HEADER, "the text follows the header");

struct account {
    uid_t uid;
    gid_t gid;
    size_t groups;
    gid_t group[MAX_GROUPS];
};

// Folders that this process has covered with a tmpfs of its own. New entries in them are invisible outside.
static dev_t own[MAX_NODES];
static size_t owned;

static const char help[] =
        "Usage: dmaheap-run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
        "Runs PROGRAM with the heap nodes (/dev/dma_heap/NAME, /dev/ion, /dev/cmaN) that dmaheap-agent serves.\n"
        "\n"
        "  --socket PATH  the agent's socket; default " DEFAULT_SOCKET "\n"
        "  --user USER    run PROGRAM as USER: a name or a number of /etc/passwd, or UID:GID; only for root\n"
        "  --help         print this text\n"
        "\n"
        "Nodes that are missing are made in a private mount namespace. That needs root, or user namespaces.\n"
        "PROGRAM and its children cannot gain privileges (no_new_privs), and cannot have another seccomp listener.\n"
        "\n"
        "Exit status: that of PROGRAM; 125 if dmaheap-run fails, 126 if PROGRAM cannot be executed, 127 if it is not "
        "found.\n";

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("dmaheap-run: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

#define fail(...) (say(__VA_ARGS__), exit(EXIT_FAILED))

static int connect_agent(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fail("invalid --socket = %s: expected at most %zu bytes", path, sizeof address.sun_path - 1);
    }
    strcpy(address.sun_path, path);
    struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
    int agent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (agent < 0 || setsockopt(agent, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0
            || setsockopt(agent, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0
            || connect(agent, (struct sockaddr *) &address, sizeof address) != 0) {
        fail("connect to %s failed: %s; is dmaheap-agent running, and does its setting run.group permit this user?",
             path, strerror(errno));
    }
    return agent;
}

// Sends the packet's text, with a descriptor unless it is -1, and replaces the text with that of the reply.
static void call(int agent, uint16_t operation, struct packet *packet, int descriptor) {
    packet->magic = MAGIC;
    packet->version = VERSION;
    packet->operation = operation;
    packet->status = 0;
    packet->reserved = 0;
    struct iovec bytes = {packet, HEADER + strlen(packet->text)};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof descriptor)];
    } control = {.header = {CMSG_LEN(sizeof descriptor), SOL_SOCKET, SCM_RIGHTS}};
    if (descriptor >= 0) {
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.space;
    }
    if (sendmsg(agent, &message, MSG_NOSIGNAL) < 0) {
        fail("request to the agent failed: %s", strerror(errno));
    }
    ssize_t size;
    do {
        size = recv(agent, packet, PACKET, MSG_TRUNC);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN) {
        fail("the agent did not answer within %d seconds", ANSWER_SECONDS);
    }
    if (size < 0) {
        fail("the answer of the agent was not received: %s", strerror(errno));
    }
    if (size == 0) {
        fail("the agent closed the connection without an answer; its log has the reason");
    }
    if (size < HEADER || size > PACKET || packet->magic != MAGIC || packet->version != VERSION
            || packet->operation != operation) {
        fail("the answer of %zd bytes is not of version %d of the agent's protocol; is it another service's socket?",
             size, VERSION);
    }
    ((char *) packet)[size] = 0;
    if (packet->status != 0) {
        fail("the agent refused: %s", packet->text[0] != 0 ? packet->text : strerror(-packet->status));
    }
}

// Paths are created in the folder /dev, which a private mount namespace can cover.
static bool is_node_path(const char *path) {
    size_t length = strlen(path);
    return strncmp(path, "/dev/", 5) == 0 && length > 5 && length < PATH_MAX - 1 && path[length - 1] != '/'
            && strstr(path, "//") == NULL && strstr(path, "/./") == NULL && strstr(path, "/../") == NULL
            && strcmp(path + length - 2, "/.") != 0 && strcmp(path + length - 3, "/..") != 0;
}

static size_t ask_nodes(const char *socket_path, struct packet *packet, char *nodes[MAX_NODES]) {
    int agent = connect_agent(socket_path);
    packet->text[0] = 0;
    call(agent, NODES, packet, -1);
    close(agent);
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(packet->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strrchr(line, ' ');
        if (space == NULL || count == MAX_NODES) {
            fail("the agent answered '%s': expected at most %d lines PATH ABI", line, MAX_NODES);
        }
        *space = 0;
        if (!is_node_path(line)) {
            fail("invalid node %s of the agent: expected a path in /dev without . and ..", line);
        }
        nodes[count++] = line;
    }
    if (count == 0) {
        fail("the agent has no nodes; add an entry node./dev/... to its configuration");
    }
    return count;
}

static uint32_t parse_id(const char *text, char terminator, const char *whole) {
    char *end;
    errno = 0;
    unsigned long id = strtoul(text, &end, 10);
    if (errno != 0 || *end != terminator || *text < '0' || *text > '9' || id >= UINT32_MAX) {
        fail("invalid --user = %s: expected a name or a number of /etc/passwd, or UID:GID", whole);
    }
    return (uint32_t) id;
}

// Reads the files themselves: a static program cannot load the C library's other sources of users.
static void find_account(const char *user, struct account *account) {
    const char *colon = strchr(user, ':');
    if (colon != NULL) {
        account->uid = parse_id(user, ':', user);
        account->gid = parse_id(colon + 1, 0, user);
        account->groups = 0;
        return;
    }
    FILE *users = fopen("/etc/passwd", "re");
    struct passwd *entry = NULL;
    bool number = *user >= '0' && *user <= '9';
    while (users != NULL && (entry = fgetpwent(users)) != NULL) {
        if (number ? entry->pw_uid == parse_id(user, 0, user) : strcmp(entry->pw_name, user) == 0) {
            break;
        }
    }
    if (entry == NULL) {
        fail("invalid --user = %s: not in /etc/passwd; expected a name or a number of it, or UID:GID", user);
    }
    account->uid = entry->pw_uid;
    account->gid = entry->pw_gid;
    account->groups = 0;
    FILE *groups = fopen("/etc/group", "re");
    struct group *group;
    while (groups != NULL && (group = fgetgrent(groups)) != NULL) {
        for (char **member = group->gr_mem; *member != NULL; member++) {
            if (strcmp(*member, entry->pw_name) != 0) {
                continue;
            }
            if (account->groups == MAX_GROUPS) {
                fail("user %s is in more than %d groups", user, MAX_GROUPS);
            }
            account->group[account->groups++] = group->gr_gid;
        }
    }
    if (groups != NULL) {
        fclose(groups);
    }
    fclose(users);
}

static bool is_null(const struct stat *status) {
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

static void write_map(const char *path, const char *format, unsigned id) {
    char text[32];
    int length = snprintf(text, sizeof text, format, id, id);
    int map = open(path, O_WRONLY | O_CLOEXEC);
    if (map < 0 || write(map, text, (size_t) length) != length) {
        fail("write to %s failed: %s", path, strerror(errno));
    }
    close(map);
}

#define REMEDY "start it as root with --user, or make the nodes once: a line 'c %s 0666 - - - 1:3' in /etc/tmpfiles.d"

static void enter_namespace(const char *missing) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (errno != EPERM) {
            fail("unshare of the mount namespace failed: %s", strerror(errno));
        }
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            fail("%s cannot be made: this user may not make user namespaces: %s; " REMEDY, missing, strerror(errno),
                 missing);
        }
        write_map("/proc/self/setgroups", "deny", 0);
        write_map("/proc/self/uid_map", "%u %u 1", uid);
        write_map("/proc/self/gid_map", "%u %u 1", gid);
    }
    // Later mounts of the host still appear; those made here stay here.
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        fail("%s cannot be made: a mount in the new namespace failed: %s; " REMEDY, missing, strerror(errno), missing);
    }
}

// Makes the entry of a covered folder visible again.
static void keep(const char *folder, const char *name) {
    char covered[PATH_MAX];
    char path[PATH_MAX];
    char target[PATH_MAX];
    struct stat status;
    if (snprintf(covered, sizeof covered, "%s/" COVERED "/%s", folder, name) >= (int) sizeof covered
            || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int) sizeof path
            || lstat(covered, &status) != 0) {
        return;
    }
    bool kept;
    if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2)) {
        // The kernel looks for pts beside ptmx in the same mount.
        snprintf(target, sizeof target, COVERED "/%s", name);
        kept = symlink(target, path) == 0;
    } else if (S_ISLNK(status.st_mode)) {
        ssize_t length = readlink(covered, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        kept = symlink(target, path) == 0;
    } else if (S_ISDIR(status.st_mode)) {
        kept = mkdir(path, 0755) == 0 && mount(covered, path, NULL, MS_BIND | MS_REC, NULL) == 0;
    } else {
        kept = mknod(path, S_IFREG | 0600, 0) == 0 && mount(covered, path, NULL, MS_BIND, NULL) == 0;
    }
    if (!kept) {
        say("%s is missing in the program's %s: %s", path, folder, strerror(errno));
    }
}

// Covers a folder with a tmpfs that has the same entries, so that others can be added.
static void cover(const char *folder) {
    char covered[PATH_MAX];
    struct stat status;
    int tree = (int) syscall(SYS_open_tree, AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0 || snprintf(covered, sizeof covered, "%s/" COVERED, folder) >= (int) sizeof covered
            || mount("dmaheap-run", folder, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=755") != 0
            || stat(folder, &status) != 0 || mkdir(covered, 0755) != 0
            || syscall(SYS_move_mount, tree, "", AT_FDCWD, covered, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        fail("a private %s cannot be made: %s", folder, strerror(errno));
    }
    close(tree);
    own[owned++] = status.st_dev;
    DIR *entries = opendir(covered);
    if (entries == NULL) {
        fail("the entries of %s cannot be read: %s", folder, strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            keep(folder, entry->d_name);
        }
    }
    closedir(entries);
}

static bool is_own(const char *folder) {
    struct stat status;
    if (stat(folder, &status) != 0) {
        fail("a node cannot be made in %s: %s", folder, strerror(errno));
    }
    for (size_t i = 0; i < owned; i++) {
        if (own[i] == status.st_dev) {
            return true;
        }
    }
    return false;
}

// Makes an entry of a folder, for a mount to cover it, unless there is one.
static void make_entry(char *path, bool is_folder) {
    struct stat status;
    if (lstat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode) != is_folder || S_ISLNK(status.st_mode)) {
            fail("%s cannot be a %s: there is something else of this name", path, is_folder ? "folder" : "node");
        }
        return;
    }
    char *slash = strrchr(path, '/');
    *slash = 0;
    if (!is_own(path)) {
        cover(path);
    }
    *slash = '/';
    if (is_folder ? mkdir(path, 0755) != 0 : mknod(path, S_IFREG | 0600, 0) != 0) {
        fail("%s cannot be made: %s", path, strerror(errno));
    }
}

static void make_node(const char *node) {
    char path[PATH_MAX];
    strcpy(path, node);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        make_entry(path, true);
        *slash = '/';
    }
    make_entry(path, false);
    // Read-only: the program may open the device for writing, but a root program cannot change the mode of the one null
    // device that all programs share.
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) != 0
            || mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) != 0) {
        fail("a mount of /dev/null at %s failed: %s", path, strerror(errno));
    }
}

static void make_nodes(char *nodes[], size_t count) {
    bool entered = false;
    mode_t mask = umask(022);
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        if (lstat(nodes[i], &status) == 0 && is_null(&status)) {
            continue;
        }
        if (!entered) {
            enter_namespace(nodes[i]);
            entered = true;
        }
        make_node(nodes[i]);
    }
    umask(mask);
}

static void drop_privileges(const struct account *account) {
    if (account != NULL
            && (setgroups(account->groups, account->group) != 0
                || setresgid(account->gid, account->gid, account->gid) != 0
                || setresuid(account->uid, account->uid, account->uid) != 0)) {
        fail("change to uid %u failed: %s", account->uid, strerror(errno));
    }
    // Root stays what it is. Another user keeps neither the capabilities of a user namespace nor ambient ones.
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (geteuid() != 0
            && (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0
                || syscall(SYS_capset, &header, none) != 0)) {
        fail("capabilities cannot be dropped: %s", strerror(errno));
    }
}

// The agent identifies a node by the path of its descriptor, so the program must be able to open it under this path.
static void check_nodes(char *nodes[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        char link[64];
        char path[PATH_MAX] = "";
        struct stat status;
        int node = open(nodes[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (node < 0 || fstat(node, &status) != 0) {
            fail("%s cannot be opened by uid %u: %s", nodes[i], geteuid(), strerror(errno));
        }
        snprintf(link, sizeof link, "/proc/self/fd/%d", node);
        if (readlink(link, path, sizeof path - 1) < 0) {
            fail("readlink of %s failed: %s", link, strerror(errno));
        }
        if (!is_null(&status) || strcmp(path, nodes[i]) != 0) {
            fail("%s is %s and not the null device under this path", nodes[i], path);
        }
        close(node);
    }
}

static int install_filter(void) {
    enum { LOAD_ARCH, IS_64, LOAD_64, IOCTL_OF_64, IS_32, LOAD_32, IOCTL_OF_32, LOAD_COMMAND, LOW_WORD, DMA_HEAP, ION,
           ION_QUERY, SIMPLE, DMA_BUF_MASK, DMA_BUF, ALLOW, NOTIFY, LENGTH };
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP(at, value, equal, other) \
    [at] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, (equal) - (at) - 1, (other) - (at) - 1)
    struct sock_filter filter[LENGTH] = {
        [LOAD_ARCH] = LOAD(arch),
        JUMP(IS_64, ARCH_64, LOAD_64, IS_32),
        [LOAD_64] = LOAD(nr),
        JUMP(IOCTL_OF_64, IOCTL_64, LOAD_COMMAND, ALLOW),
        JUMP(IS_32, ARCH_32, LOAD_32, ALLOW),
        [LOAD_32] = LOAD(nr),
        JUMP(IOCTL_OF_32, IOCTL_32, LOAD_COMMAND, ALLOW),
        [LOAD_COMMAND] = LOAD(args[1]),
        // A structure of another size has another number; its type and its index stay.
        [LOW_WORD] = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff),
        JUMP(DMA_HEAP, 0x4800, NOTIFY, ION),
        JUMP(ION, 0x4900, NOTIFY, ION_QUERY),
        JUMP(ION_QUERY, 0x4908, NOTIFY, SIMPLE),
        JUMP(SIMPLE, 0x5300, NOTIFY, DMA_BUF_MASK),
        // SYNC, SET_NAME, and the two of sync files.
        [DMA_BUF_MASK] = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffc),
        JUMP(DMA_BUF, 0x6200, NOTIFY, ALLOW),
        [ALLOW] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        [NOTIFY] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog program = {LENGTH, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail("no_new_privs cannot be set: %s", strerror(errno));
    }
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (listener < 0 && errno == EINVAL) {
        say("before Linux 5.19, a signal during an allocation can leave a descriptor open in the program");
        listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    }
    if (listener < 0) {
        fail("the seccomp listener cannot be made: %s%s", strerror(errno),
             errno == EBUSY ? "; this process has one of a container's runtime or of another dmaheap-run" : "");
    }
    return (int) listener;
}

static void attach(const char *socket_path, char *nodes[], size_t count) {
    struct packet packet;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        int added = snprintf(packet.text + length, sizeof packet.text - length, "%s device\n", nodes[i]);
        length += (size_t) added;
        if (length >= sizeof packet.text) {
            fail("the paths of %zu nodes have more than %d bytes", count, PACKET - HEADER);
        }
    }
    int listener = install_filter();
    int agent = connect_agent(socket_path);
    call(agent, ATTACH, &packet, listener);
    close(listener);
    close(agent);
}

int main(int count, char **arguments) {
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *socket_path = DEFAULT_SOCKET;
    const char *user = NULL;
    for (int option; (option = getopt_long(count, arguments, "+", options, NULL)) != -1;) {
        switch (option) {
            case 's': socket_path = optarg; break;
            case 'u': user = optarg; break;
            case 'h': fputs(help, stdout); return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
            default: fail("dmaheap-run --help lists the options");
        }
    }
    if (optind == count) {
        fail("expected a program; dmaheap-run --help has the usage");
    }
    if (getauxval(AT_SECURE) != 0) {
        fail("it must not be set-user-ID, nor have file capabilities");
    }
    struct account account;
    if (user != NULL) {
        if (geteuid() != 0) {
            fail("--user is for root; this is uid %u", geteuid());
        }
        find_account(user, &account);
    }

    struct packet answer;
    char *nodes[MAX_NODES];
    size_t found = ask_nodes(socket_path, &answer, nodes);
    make_nodes(nodes, found);
    // The kernel notes the user of a socket when it connects: the program's, which the agent must see.
    drop_privileges(user == NULL ? NULL : &account);
    check_nodes(nodes, found);
    attach(socket_path, nodes, found);

    execvp(arguments[optind], arguments + optind);
    int error = errno;
    say("%s cannot be executed: %s", arguments[optind], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
