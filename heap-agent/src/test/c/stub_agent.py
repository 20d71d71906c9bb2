# SPDX-License-Identifier: Apache-2.0
"""An agent for the launcher's tests: answers the three ABIs with memfds, without a gateway.

python3 stub_agent.py SOCKET LIMIT [PATH=ABI]...   LIMIT is the largest buffer in bytes; ABI is dma-heap, ion or simple.
Prints one line for each request of a launcher and for the end of each listener.
"""

import array
import ctypes
import errno
import fcntl
import os
import select
import socket
import stat
import struct
import sys
import threading

HEADER = struct.Struct("=IHHiI")
MAGIC, NODES, ATTACH = 0x4C414D44, 1, 2
RECV, SEND, ID_VALID, ADDFD = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
CONTINUE = 1
NULL_DEVICE = os.makedev(1, 3)
HEAPS = [(b"system", 0, 0), (b"reserved", 4, 1)]

libc = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def copy(call, pid, address, buffer):
    local, remote = Iovec(ctypes.addressof(buffer), len(buffer)), Iovec(address, len(buffer))
    args = (ctypes.c_int(pid), ctypes.byref(local), ctypes.c_ulong(1), ctypes.byref(remote), ctypes.c_ulong(1))
    if call(*args, ctypes.c_ulong(0)) != len(buffer):
        raise OSError(errno.EFAULT, "the argument cannot be copied")


class Listener:
    def __init__(self, fd, nodes, limit):
        self.fd, self.nodes, self.limit, self.buffers = fd, nodes, limit, set()

    def serve(self):
        try:
            self.serve_calls()
        finally:
            os.close(self.fd)
        print("end", flush=True)

    def serve_calls(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while True:
            events = poll.poll()[0][1]
            if not events & select.POLLIN:
                break
            note = bytearray(80)
            try:
                fcntl.ioctl(self.fd, RECV, note)
            except OSError as e:
                if e.errno in (errno.EINTR, errno.ENOENT):
                    continue
                raise
            identity, pid, _, _, _, _, *call = struct.unpack("=QIIiIQ6Q", note)
            try:
                value, error, flags = 0, 0, self.answer(identity, pid, call[0], call[1], call[2]) or 0
            except OSError as e:
                value, error, flags = 0, -e.errno, 0
            try:
                fcntl.ioctl(self.fd, SEND, bytearray(struct.pack("=QqiI", identity, value, error, flags)))
            except OSError as e:
                if e.errno != errno.ENOENT:
                    raise

    def answer(self, identity, pid, descriptor, command, address):
        link = f"/proc/{pid}/fd/{descriptor & 0xFFFFFFFF}"
        try:
            status = os.stat(link)
        except FileNotFoundError:
            return CONTINUE
        kind, command = command & 0xFFFF, command & 0xFFFFFFFF
        if (status.st_dev, status.st_ino) in self.buffers:
            return self.buffer(kind, pid, address)
        abi = self.nodes.get(os.readlink(link))
        if abi is None or not stat.S_ISCHR(status.st_mode) or status.st_rdev != NULL_DEVICE:
            return CONTINUE
        size = command >> 16 & 0x3FFF
        argument = (ctypes.c_char * size)()
        copy(libc.process_vm_readv, pid, address, argument)
        fcntl.ioctl(self.fd, ID_VALID, struct.pack("=Q", identity))
        fields = bytearray(argument.raw.ljust(32, b"\0"))
        if abi == "dma-heap" and kind == 0x4800:
            length, number, flags, heap_flags = struct.unpack_from("=QIIQ", fields)
            self.require(number == 0 and heap_flags == 0 and not flags & ~0x80003, errno.EINVAL)
            at, access = 8, flags
        elif abi == "ion" and kind == 0x4900:
            length, mask = struct.unpack_from("=QI", fields)
            self.require(length != 0, errno.EINVAL)
            self.require(mask & 3, errno.ENODEV)
            at, access = 16, os.O_RDWR | os.O_CLOEXEC
        elif abi == "ion" and kind == 0x4908:
            return self.heaps(pid, address, fields, size)
        elif abi == "simple" and kind == 0x5300:
            version, length, flags = struct.unpack_from("=QQI", fields)
            self.require(version == 0 and length <= self.limit, errno.EINVAL)
            at, access = 24, os.O_RDWR | flags & os.O_CLOEXEC
        else:
            return CONTINUE
        self.require(0 < length <= 2**64 - 4096, errno.EINVAL)
        self.require(length <= self.limit, errno.ENOMEM)
        memory = self.allocate(length, access)
        try:
            copy(libc.process_vm_writev, pid, address, argument)
            given = bytearray(struct.pack("=QIIII", identity, 0, memory, 0, access & os.O_CLOEXEC))
            struct.pack_into("=i", fields, at, fcntl.ioctl(self.fd, ADDFD, given))
        finally:
            os.close(memory)
        argument.raw = bytes(fields[:size]).ljust(size, b"\0")
        copy(libc.process_vm_writev, pid, address, argument)

    def allocate(self, length, access):
        memory = os.memfd_create("stub", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, (length + 4095) & ~4095)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        status = os.fstat(memory)
        self.buffers.add((status.st_dev, status.st_ino))
        reopened = os.open(f"/proc/self/fd/{memory}", access & os.O_ACCMODE | os.O_CLOEXEC)
        os.close(memory)
        return reopened

    def heaps(self, pid, address, fields, size):
        count, reserved, where, reserved1, reserved2 = struct.unpack_from("=IIQII", fields)
        self.require(reserved == reserved1 == reserved2 == 0, errno.EINVAL)
        if where != 0:
            self.require(count != 0, errno.EINVAL)
            heaps = HEAPS[:count]
            text = b"".join(struct.pack("=32sIIIII", name, kind, number, 0, 0, 0) for name, kind, number in heaps)
            copy(libc.process_vm_writev, pid, where, (ctypes.c_char * len(text)).from_buffer_copy(text))
        struct.pack_into("=I", fields, 0, len(HEAPS) if where == 0 else len(heaps))
        copy(libc.process_vm_writev, pid, address, (ctypes.c_char * size).from_buffer_copy(fields[:size]))

    def buffer(self, kind, pid, address):
        if kind == 0x6200:
            flags = (ctypes.c_char * 8)()
            copy(libc.process_vm_readv, pid, address, flags)
            value = int.from_bytes(flags.raw, sys.byteorder)
            self.require(not value & ~7 and value & 3, errno.EINVAL)
        elif kind == 0x6201:
            name = (ctypes.c_char * 32)()
            copy(libc.process_vm_readv, pid, address, name)
            self.require(b"\0" in name.raw, errno.EINVAL)
        else:
            raise OSError(errno.ENOTTY, "not an operation of a memfd")

    @staticmethod
    def require(condition, error):
        if not condition:
            raise OSError(error, os.strerror(error))


def launcher(connection, nodes, limit):
    with connection:
        control = socket.CMSG_SPACE(4)
        packet, ancillary, _, _ = connection.recvmsg(8192, control, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            return
        _, _, operation, _, _ = HEADER.unpack_from(packet)
        text = packet[HEADER.size:].decode()
        _, uid, gid = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        print(operation, f"uid={uid} gid={gid}", *text.splitlines(), flush=True)
        reply = "".join(f"{path} {abi}\n" for path, abi in nodes.items()) if operation == NODES else ""
        if operation == ATTACH:
            fd = array.array("i", ancillary[0][2])[0]
            threading.Thread(target=Listener(fd, nodes, limit).serve, daemon=True).start()
        connection.send(HEADER.pack(MAGIC, 1, operation, 0, 0) + reply.encode())


def main(path, limit, *nodes):
    nodes = dict(node.split("=") for node in nodes)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        os.chmod(path, 0o666)
        server.listen()
        print("ready", flush=True)
        while True:
            launcher(server.accept()[0], nodes, int(limit))


main(*sys.argv[1:])
