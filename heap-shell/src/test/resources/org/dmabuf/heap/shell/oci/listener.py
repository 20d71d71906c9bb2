# SPDX-License-Identifier: Apache-2.0
"""Listener of one container: prints the container's state and each notice.

usage: listener.py SOCKET

It answers an allocation from a dma-heap with ENOSPC, which no null device returns, and continues every other call.
"""
import errno
import fcntl
import os
import select
import socket
import struct
import sys

RECEIVE = 0xC0502100
SEND = 0xC0182101
CONTINUE = 1
ALLOCATION = 0xC0184800
SECONDS = 60

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
server.listen(1)
server.settimeout(SECONDS)
print("listening", flush=True)
runtime, _ = server.accept()
state, descriptors, _, _ = socket.recv_fds(runtime, 1 << 16, 1)
print("state", state.decode(), flush=True)
listener = descriptors[0]
poll = select.poll()
poll.register(listener, select.POLLIN)
while True:
    events = poll.poll(SECONDS * 1000)
    if not events or not events[0][1] & select.POLLIN:
        break  # the last task of the container is gone
    notice = bytearray(80)
    fcntl.ioctl(listener, RECEIVE, notice)
    number, = struct.unpack_from("Q", notice, 0)
    command = struct.unpack_from("6Q", notice, 32)[1] & 0xFFFFFFFF
    print(f"notice {command:x}", flush=True)
    error = -errno.ENOSPC if command == ALLOCATION else 0
    reply = bytearray(struct.pack("QqiI", number, 0, error, 0 if error else CONTINUE))
    fcntl.ioctl(listener, SEND, reply)
os.close(listener)
