# SPDX-License-Identifier: Apache-2.0
"""One of two processes that exchange a secret: 'make' writes it into the received memory, 'take' reads it."""

import mmap
import os
import socket
import sys

action, path, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
    peer.settimeout(30)
    peer.connect(path)
    _, (fd,), _, _ = socket.recv_fds(peer, 256, 1)
    memory = mmap.mmap(fd, os.fstat(fd).st_size)  # secret memory has no file position, so lseek cannot find the size
    if action == "make":
        secret = os.urandom(length)
        memory[:length] = secret
    else:
        secret = memory[:length]
    print(secret.hex())
