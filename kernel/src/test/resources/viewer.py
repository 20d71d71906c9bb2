# SPDX-License-Identifier: Apache-2.0
"""Process that checks the frames of example:stream: viewer.py SOCKET REFERENCE BYTES_PER_LINE BYTES_PER_STEP

REFERENCE has the bytes of frame 0. The camera moves its picture to the right by some bytes from each frame to the next,
so that the content of a frame shows its number. The number of frames until the picture repeats is BYTES_PER_LINE /
BYTES_PER_STEP. It ends the stream when it gets SIGTERM, or at a wrong frame, and prints the number of right frames.
"""
import fcntl
import mmap
import signal
import socket
import struct
import sys

DMA_BUF_IOCTL_SYNC = 0x40086200
READ, END = 1, 4
BUFFERS = 8  # the number of descriptors that come

path, reference, line, step = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3]), int(sys.argv[4])
lines = [reference[at:at + line] for at in range(0, len(reference), line)]
expected = [b"".join(row[line - at:] + row[:line - at] for row in lines) for at in range(0, line, step)]


def is_right(fd, memory, sequence, size):
    fcntl.ioctl(fd, DMA_BUF_IOCTL_SYNC, struct.pack("Q", READ))
    try:
        return memory[:size] == expected[sequence % len(expected)]
    finally:
        fcntl.ioctl(fd, DMA_BUF_IOCTL_SYNC, struct.pack("Q", READ | END))


enough = []
signal.signal(signal.SIGTERM, lambda *_: enough.append(True))
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(path)
listener.listen(1)
listener.settimeout(90)
print("ready", flush=True)
peer = listener.accept()[0]
peer.settimeout(90)
held = {}
last = -1
right = 0
while True:
    text, fds, _, _ = socket.recv_fds(peer, 256, 1)
    if not text:
        break
    word, index, sequence, offset, size = text.decode().split()
    sequence, size = int(sequence), int(size)
    if fds:
        held[index] = fds[0], mmap.mmap(fds[0], size, mmap.MAP_SHARED, mmap.PROT_READ)
    if offset != "0" or size != len(reference) or sequence <= last or not is_right(*held[index], sequence, size):
        peer.send(f"frame {sequence} after {last} is wrong".encode())
        break
    last = sequence
    right += 1
    if right == BUFFERS:
        print("streaming", flush=True)
    is_last = bool(enough)
    peer.send(b"enough" if is_last else f"done {index}".encode())
    if is_last:
        break
print(f"right {right}", flush=True)
