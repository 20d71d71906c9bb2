# SPDX-License-Identifier: Apache-2.0
"""Hostile peer that misuses each received descriptor, and sends invalid messages and descriptors.

It reads orders as lines from standard input: 'take SOCKET' and 'give SOCKET'. The argument is the seed. It ignores
errors, because the gateway and its kernel are under test, and not this process.
"""
import ctypes, fcntl, mmap, os, random, resource, select, signal, socket, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
PUNCH_KEEP, KEEP = 3, 1
ADD_SEALS, GET_SEALS, SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE = 1033, 1034, 1, 2, 4, 8, 16
PAGE = mmap.PAGESIZE
draw = random.Random(int(sys.argv[1]))
kept = []  # descriptors, mappings, pipes and sockets that outlive their exchange


def keep(thing):
    kept.append(thing)
    if len(kept) > 16:
        let_go(kept.pop(draw.randrange(len(kept))))


def let_go(thing):
    if isinstance(thing, int):
        os.close(thing)
    else:
        thing.close()


def memfd(size, seals, content=True):
    fd = os.memfd_create("hostile", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if content:
        os.pwrite(fd, b"\x01" * size, 0)
    fcntl.fcntl(fd, ADD_SEALS, seals)
    return fd


def size_of(fd):
    return os.lseek(fd, 0, os.SEEK_END)


def punch(fd):
    libc.fallocate(fd, PUNCH_KEEP, PAGE * draw.randrange(4), PAGE * draw.randrange(1, 64))


def misuse_punch(fd):
    punch(fd)
    mapping = mmap.mmap(fd, size_of(fd), mmap.MAP_SHARED, mmap.PROT_READ)
    mapping.madvise(9)  # MADV_REMOVE
    mapping.close()


def misuse_write(fd):
    os.pwrite(fd, b"hostile", 0)


def misuse_map_writable(fd):
    mapping = mmap.mmap(fd, size_of(fd), mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    mapping[0] = 0x7F
    keep(mapping)


def misuse_map(fd):
    keep(mmap.mmap(fd, size_of(fd), mmap.MAP_SHARED, mmap.PROT_READ))


def misuse_size(fd):
    os.ftruncate(fd, draw.choice([0, PAGE, 1 << 40]))


def misuse_seal(fd):
    fcntl.fcntl(fd, ADD_SEALS, draw.choice([WRITE, FUTURE_WRITE, SEAL]))


def misuse_reopen(fd):
    keep(os.open(f"/proc/self/fd/{fd}", draw.choice([os.O_RDWR, os.O_RDONLY, os.O_PATH])))


def misuse_many(fd):
    for _ in range(200):
        os.dup(fd)


def misuse_in_flight(fd):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    socket.send_fds(one, [b"x"], [fd])
    keep(one)
    keep(other)


def misuse_pipe(fd):
    reading, writing = os.pipe()
    os.splice(fd, writing, PAGE, offset_src=0)
    keep(reading)
    keep(writing)


def misuse_locks(fd):
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)


def misuse_child(fd):
    pid = os.fork()
    if pid == 0:
        signal.alarm(2)
        time.sleep(draw.random() * 0.5)
        os._exit(0)
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()


def misuse_mode(fd):
    os.fchmod(fd, 0)


def is_memory(fd):
    """Returns whether misuse affects only the memory. Other descriptors refer to files and devices of this machine."""
    try:
        return fcntl.fcntl(fd, GET_SEALS) >= 0
    except OSError:
        return False


MISUSES = [value for name, value in list(globals().items()) if name.startswith("misuse_")]


def gift_good():
    return [memfd(PAGE * draw.randrange(1, 512), SEAL | SHRINK | GROW | draw.choice([WRITE, FUTURE_WRITE]))]


def gift_holes():
    return [memfd(PAGE * draw.randrange(1, 2048), SEAL | SHRINK | GROW | WRITE, content=False)]


def gift_blocks_beyond_the_end():
    fd = memfd(PAGE * 512, 0, content=False)
    libc.fallocate(fd, KEEP, PAGE * 512, PAGE * 512)
    fcntl.fcntl(fd, ADD_SEALS, draw.choice([SHRINK, SHRINK | WRITE]))
    return [fd]


def gift_unsealed():
    return [memfd(PAGE * 16, draw.choice([0, GROW, WRITE, FUTURE_WRITE]))]


def gift_punched_later():
    fd = memfd(PAGE * 256, SHRINK | GROW)
    mine = os.dup(fd)
    threading.Thread(target=punch_for_a_while, args=(mine,), daemon=True).start()
    return [fd]


def punch_for_a_while(fd):
    for _ in range(50):
        libc.fallocate(fd, PUNCH_KEEP, 0, PAGE * 256)
        time.sleep(0.0002)
    os.close(fd)


def gift_empty_file():
    return [memfd(0, SHRINK)]


def gift_odd_size():
    return [memfd(PAGE * 3 + 17, SHRINK | GROW | WRITE)]


def gift_write_only():
    fd = memfd(PAGE, SHRINK | GROW)
    path = f"/proc/self/fd/{fd}"
    other = os.open(path, os.O_WRONLY)
    os.close(fd)
    return [other]


def gift_path():
    fd = memfd(PAGE, SHRINK | GROW | WRITE)
    other = os.open(f"/proc/self/fd/{fd}", os.O_PATH)
    os.close(fd)
    return [other]


def gift_device():
    return [os.open(draw.choice(["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"]), os.O_RDWR)]


def gift_folder():
    return [os.open(draw.choice(["/", "/proc/self", "/proc/self/fd"]), os.O_RDONLY)]


def gift_proc():
    return [os.open(draw.choice(["/proc/self/mem", "/proc/self/maps", "/proc/meminfo"]), os.O_RDONLY)]


def gift_pipe():
    reading, writing = os.pipe()
    keep(writing)
    return [reading]


def gift_socket():
    one, other = socket.socketpair()
    keep(other)
    return [one.detach()]


def gift_epoll():
    return [os.dup(select.epoll().fileno())]


def gift_two():
    return gift_good() + gift_good()


def gift_many():
    return [fd for _ in range(draw.randrange(3, 9)) for fd in gift_device()]


GIFTS = [value for name, value in list(globals().items()) if name.startswith("gift_")]
TEXTS = [b"dmaheap 1 4096 x", b"\n[WARN] forged", b"\x1b[2J", b"\xff\xfe", b"x" * 300, b"\xe2\x80\xae", b"a" * 256]


def take(peer):
    _, fds, _, _ = socket.recv_fds(peer, 512, 4)
    for fd in fds:
        for _ in range(draw.randrange(1, 4) if is_memory(fd) else 0):
            attempt(draw.choice(MISUSES), fd)
        if draw.randrange(3) == 0:
            keep(fd)
        else:
            os.close(fd)


def give(peer):
    way = draw.randrange(40)
    if way == 0:
        return  # closes the socket
    if way == 1:
        time.sleep(1)  # longer than the gateway waits
        return
    if way < 4:
        peer.send(draw.choice(TEXTS))  # without a descriptor
        return
    fds = draw.choice(GIFTS)()
    text = draw.choice(TEXTS) if draw.randrange(4) == 0 else b"dmaheap 1 4096 x"
    socket.send_fds(peer, [text], fds)
    for fd in fds:
        if is_memory(fd) and draw.randrange(4) == 0:
            attempt(draw.choice(MISUSES), fd)
        os.close(fd)


def attempt(act, *arguments):
    try:
        return act(*arguments)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError):
        return None


def serve(order, path):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        peer.settimeout(5)
        peer.connect(path)
        take(peer) if order == "take" else give(peer)
    finally:
        peer.close()


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
signal.signal(signal.SIGIO, signal.SIG_IGN)
try:
    print("ready", flush=True)
except BrokenPipeError:
    os._exit(1)  # the gateway has ended meanwhile
for line in sys.stdin:
    attempt(serve, *line.split())
