# SPDX-License-Identifier: Apache-2.0
"""Peer that serves its own file system (FUSE), and never answers a request for the open file.

fuse.py FOLDER SOCKET COUNT...  mounts a file system on FOLDER, opens its one file, connects to SOCKET, and sends one
                                message for each COUNT, with that many descriptors of the file.

It needs root. The mount is in a separate namespace, which ends with the processes. This process serves the file system
and has none of its files open, so it can be killed at any time. SIGALRM kills it after a minute at the latest. Its end
ends the connection and so every waiting call. The child process has the file open. A process with both roles could not
exit, because it would wait for itself to close the file.
"""
import ctypes
import os
import signal
import socket
import struct
import sys

signal.alarm(60)
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
LOOKUP, GETATTR, OPEN, FLUSH, INIT = 1, 3, 14, 25, 26


def must(result, what):
    if result != 0:
        sys.exit(what + ": " + os.strerror(ctypes.get_errno()))


def attributes(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<6Q10I", node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(unique, body):
    os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def serve():
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode == INIT:
            answer(unique, struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, 0, *([0] * 7)))
        elif opcode == LOOKUP:
            answer(unique, struct.pack("<4Q2I", 2, 1, 0, 0, 0, 0) + attributes(2))
        elif opcode == GETATTR and node == 1:
            answer(unique, struct.pack("<Q2I", 0, 0, 0) + attributes(1))
        elif opcode == OPEN:
            answer(unique, struct.pack("<QII", 1, 0, 0))
        elif opcode == FLUSH:
            print("flush", flush=True)  # without an answer
        # no other request gets an answer


must(libc.unshare(CLONE_NEWNS), "unshare")
must(libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None), "mount")
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % device
must(libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options), "mount")
if os.fork() != 0:
    serve()
os.close(device)
libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
file = os.open(sys.argv[1] + "/file", os.O_RDONLY)
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(sys.argv[2])
for count in sys.argv[3:]:
    socket.send_fds(peer, [b"dmaheap 1 4096 file"], [file] * int(count))
signal.pause()
