# SPDX-License-Identifier: Apache-2.0
"""Process that sends dma-bufs with less memory than their size: sender.py SOCKET SIZE ...

It sends each of them with its kind as the text, and a second time if the answer was "adopted":
hollow     from a memfd without pages
punched    from a memfd with pages, which are punched out before the second message
graphics   from the device of vgem, which allocates pages at the first mapping: one for each SIZE
"""
import ctypes
import fcntl
import glob
import os
import socket
import struct
import sys
import time

SIZE = 32 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int] * 2 + [ctypes.c_long] * 2


def memfd():
    fd = os.memfd_create("sender", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, SIZE)
    fcntl.fcntl(fd, 1033, 2)  # F_ADD_SEALS, F_SEAL_SHRINK: udmabuf accepts no other seals
    return fd


def udmabuf(fd):
    request = bytearray(struct.pack("=IIQQ", fd, 1, 0, SIZE))  # with bytes, Python would not return the result
    return fcntl.ioctl(os.open("/dev/udmabuf", os.O_RDWR), 0x40187542, request)  # UDMABUF_CREATE


def fill(fd):
    for at in range(0, SIZE, 1 << 20):
        os.pwrite(fd, b"\1" * (1 << 20), at)


def take_away(fd):
    if libc.fallocate(fd, 3, 0, SIZE) or os.fstat(fd).st_blocks:  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        sys.exit("the memfd could not be punched")
    try:
        os.ftruncate(fd, 0)
        sys.exit("the memfd could be shrunk")
    except PermissionError:
        pass


def graphics(size):
    cards = glob.glob("/sys/class/drm/card*")
    card = next(card for card in cards if os.path.basename(os.path.realpath(card + "/device")) == "vgem")
    device = os.open("/dev/dri/" + os.path.basename(card), os.O_RDWR)
    made = fcntl.ioctl(device, 0xC02064B2, struct.pack("=6IQ", size >> 14, 4096, 32, 0, 0, 0, 0))  # CREATE_DUMB
    handle = struct.unpack("=6IQ", made)[4]
    prime = fcntl.ioctl(device, 0xC00C642D, struct.pack("=IIi", handle, os.O_RDWR | os.O_CLOEXEC, 0))
    return struct.unpack("=IIi", prime)[2]


def send(kind, fd, then=lambda: None):
    socket.send_fds(peer, [kind.encode()], [fd])
    answer, back, _, _ = socket.recv_fds(peer, 256, 1)
    for other in back:
        os.close(other)
    if answer == b"adopted":
        then()
        socket.send_fds(peer, [kind.encode()], [fd])


with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
    while peer.connect_ex(sys.argv[1]):
        time.sleep(0.1)
    send("hollow", udmabuf(memfd()))
    full = memfd()
    fill(full)
    send("punched", udmabuf(full), lambda: take_away(full))
    for size in sys.argv[2:]:
        send("graphics", graphics(int(size)))
    peer.recv(1)
