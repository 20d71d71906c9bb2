# SPDX-License-Identifier: Apache-2.0
"""Process that receives a descriptor and holds its memory in exactly one way, until it reads a line or is killed.

holder.py SOCKET descriptor   keeps the descriptor
holder.py SOCKET mapping      maps the memory and closes the descriptor
holder.py SOCKET message      sends the descriptor to itself, closes it, and does not receive it
holder.py SOCKET import       imports the dma-buf into the device of vgem and closes the descriptor
holder.py SOCKET fence        as import, and the device reads the memory for 10 s or until a line arrives. Then the
                              process prints "reading" if the device was still reading, otherwise "done"
holder.py SOCKET name         sets a name of the dma-buf that is not text and forges lines of fdinfo
holder.py SOCKET many         has 10 000 descriptors of the memory

The text beside the descriptor is the size of the memory. The process prints "held" when it holds the memory.
"""
import array
import ctypes
import fcntl
import glob
import os
import resource
import socket
import struct
import sys

path, how = sys.argv[1:3]
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
    peer.connect(path)
    text, data, _, _ = peer.recvmsg(256, socket.CMSG_SPACE(4))
fd = array.array("i", data[0][2])[0]

if how == "mapping":
    libc = ctypes.CDLL(None, use_errno=True)  # the module mmap would keep a descriptor
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    if libc.mmap(None, int(text), 1, 1, fd, 0) == ctypes.c_void_p(-1).value:  # PROT_READ, MAP_SHARED
        sys.exit(os.strerror(ctypes.get_errno()))
elif how == "message":
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
    ends[0].sendmsg([b"x"], [rights])
elif how == "name":
    fcntl.ioctl(fd, 0x40086201, b"\xe9\ncount:\t1\nexp_name:\tx\n\0")  # DMA_BUF_SET_NAME
elif how == "many":
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    descriptors = [os.dup(fd) for _ in range(10_000)]
elif how in ("import", "fence"):
    cards = glob.glob("/sys/class/drm/card*")
    card = next(card for card in cards if os.path.basename(os.path.realpath(card + "/device")) == "vgem")
    device = os.open("/dev/dri/" + os.path.basename(card), os.O_RDWR)
    prime = fcntl.ioctl(device, 0xC00C642E, struct.pack("=IIi", 0, 0, fd))  # DRM_IOCTL_PRIME_FD_TO_HANDLE
if how == "fence":
    handle = struct.unpack("=IIi", prime)[0]
    fence = fcntl.ioctl(device, 0xC0106441, struct.pack("=IIII", handle, 0, 0, 0))  # VGEM_FENCE_ATTACH
if how not in ("descriptor", "name"):
    os.close(fd)
print("held", flush=True)
sys.stdin.readline()
if how == "fence":
    try:
        fcntl.ioctl(device, 0x40086442, struct.pack("=II", struct.unpack("=IIII", fence)[2], 0))  # VGEM_FENCE_SIGNAL
        print("reading", flush=True)
    except TimeoutError:
        print("done", flush=True)
    sys.stdin.readline()
