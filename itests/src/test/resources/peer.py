# SPDX-License-Identifier: Apache-2.0
"""Foreign process of the hand-over tests, with Python's standard library only.

peer.py receive SOCKET          receives a buffer, hashes it, attacks it, and hashes it again after a line of input
peer.py visit SOCKET            connects and disconnects
peer.py offer SOCKET SEALS NAME creates a memfd with these seals and offers it under a name
peer.py fetch SOCKET            connects once, and hashes the received buffer, or prints the reason if it gets none
peer.py take SOCKET             listens for one process, and hashes the sent buffer, or prints that no buffer was sent

Prints one JSON object per line, the name of an errno, or "no message".
"""
import ctypes
import errno
import fcntl
import hashlib
import json
import mmap
import os
import socket
import sys
import time

F_ADD_SEALS = 1033
F_SEAL_WRITE = 0x8
PUNCH_HOLE = 0x2 | 0x1  # with KEEP_SIZE
libc = ctypes.CDLL(None, use_errno=True)


def say(**what):
    print(json.dumps(what), flush=True)


def connect(path):
    for _ in range(2000):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            peer.connect(path)
            return peer
        except (FileNotFoundError, ConnectionRefusedError):
            peer.close()
            time.sleep(0.01)
    sys.exit("no process listens on " + path)


def answer(action):
    """Returns the kernel's answer to an action: 'done', or the name of an errno."""
    try:
        action()
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]


def punch(fd):
    if libc.fallocate(fd, PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(4096)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def map_for_writing(fd, size):
    mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE).close()


def attack(fd, size):
    return {
        "shrink": answer(lambda: os.ftruncate(fd, 4096)),
        "grow": answer(lambda: os.ftruncate(fd, size * 2)),
        "seal": answer(lambda: fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)),
        "map": answer(lambda: map_for_writing(fd, size)),
        "write": answer(lambda: os.pwrite(fd, b"spoiled", 0)),
        "punch": answer(lambda: punch(fd)),
    }


def receive(path):
    with connect(path) as peer:
        text, fds, _, _ = socket.recv_fds(peer, 256, 4)
    word, version, content, name = text.decode().split(" ", 3)
    fd = fds[0]
    size = os.lseek(fd, 0, os.SEEK_END)
    memory = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)

    def total():
        return hashlib.sha256(memory[: int(content)]).hexdigest()

    say(word=word, version=version, name=name, fds=len(fds), size=size, sha256=total())
    say(inherited=attack(fd, size))
    reopened = os.open("/proc/self/fd/%d" % fd, os.O_RDWR)  # the kernel permits this to root and to the owner
    say(reopened=attack(reopened, size))
    say(after=total())
    sys.stdin.readline()
    say(later=total())


def offer(path, seals, name):
    fd = os.memfd_create("theirs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    content = os.urandom(3 << 20)
    os.write(fd, content)
    if seals:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(30)
        say(sha256=hashlib.sha256(content).hexdigest())
        peer, _ = listener.accept()
        with peer:
            socket.send_fds(peer, [b"dmaheap 1 %d %s" % (len(content), name.encode())], [fd])
            peer.recv(1)  # until the receiver has accepted or refused it


def say_sum_of_message(peer):
    text, fds, _, _ = socket.recv_fds(peer, 256, 4)
    if not fds:
        print("no message", flush=True)
        return
    size = os.lseek(fds[0], 0, os.SEEK_END)
    memory = mmap.mmap(fds[0], size, mmap.MAP_SHARED, mmap.PROT_READ)
    say(sha256=hashlib.sha256(memory[: int(text.split()[2])]).hexdigest())


def fetch(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        said = answer(lambda: peer.connect(path))
        while said == "ECONNREFUSED":
            time.sleep(0.01)
            said = answer(lambda: peer.connect(path))
        if said == "done":
            say_sum_of_message(peer)
        else:
            print(said, flush=True)


def take(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(60)
        peer, _ = listener.accept()
    os.unlink(path)
    with peer:
        say_sum_of_message(peer)


if sys.argv[1] == "receive":
    receive(sys.argv[2])
elif sys.argv[1] == "visit":
    connect(sys.argv[2]).close()
elif sys.argv[1] == "fetch":
    fetch(sys.argv[2])
elif sys.argv[1] == "take":
    take(sys.argv[2])
else:
    offer(sys.argv[2], int(sys.argv[3], 0), sys.argv[4])
