# SPDX-License-Identifier: Apache-2.0
"""Process that checks the frames of example:stream: viewer.py SOCKET REFERENCE BYTES_PER_LINE BYTES_PER_STEP

REFERENCE has the bytes of a picture that does not move. The camera moves it to the right by some bytes from each frame
to the next, so that the content of a frame shows its place in the stream. The picture repeats after BYTES_PER_LINE /
BYTES_PER_STEP frames. The process ends the stream when it gets SIGTERM, or at a wrong frame. It prints the number of
right frames.

Vivid moves its picture once more than it counts when a frame takes it longer than half of the time between two frames:
that frame has the number of the frame before. A picture that is older than its number is wrong, as is one that is not
whole.
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
steps = {b"".join(row[line - at:] + row[:line - at] for row in lines): at // step for at in range(0, line, step)}


def picture(fd, memory, size):
    fcntl.ioctl(fd, DMA_BUF_IOCTL_SYNC, struct.pack("Q", READ))
    try:
        return memory[:size]
    finally:
        fcntl.ioctl(fd, DMA_BUF_IOCTL_SYNC, struct.pack("Q", READ | END))


def follows(before, shown):
    (last, place), (sequence, moved) = before, shown
    if moved is None or sequence < last or shown == before:
        return False
    return (moved - place - (sequence - last)) % len(steps) < BUFFERS


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
before = 0, -1  # number and place; the driver counts one frame too many if its first one is late
right = 0
while True:
    text, fds, _, _ = socket.recv_fds(peer, 256, 1)
    if not text:
        break
    word, index, sequence, offset, size = text.decode().split()
    sequence, size = int(sequence), int(size)
    if fds:
        held[index] = fds[0], mmap.mmap(fds[0], size, mmap.MAP_SHARED, mmap.PROT_READ)
    shown = sequence, steps.get(picture(*held[index], size))
    if offset != "0" or not follows(before, shown):
        peer.send(f"frame {sequence} is wrong: {shown} after {before}".encode())
        break
    before = shown
    right += 1
    if right == BUFFERS:
        print("streaming", flush=True)
    is_last = bool(enough)
    peer.send(b"enough" if is_last else f"done {index}".encode())
    if is_last:
        break
print(f"right {right}", flush=True)
