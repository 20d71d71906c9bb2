# SPDX-License-Identifier: Apache-2.0
"""Client of a DMA-BUF gateway's socket for native programs. Python 3.9 or later, standard library only.

    import dmaheap
    with dmaheap.connect("/run/dmaheap-gateway/native.socket") as gateway:
        with gateway.allocate(1 << 20, heaps=["system"], name="frame") as buffer:
            with buffer.map() as memory:
                memory[:5] = b"hello"

A buffer is open until it is closed; the gateway charges it to this process's user until the last holder of its
descriptor is gone. A Gateway serves one request at a time, so each thread needs one of its own.
"""
import array
import mmap
import os
import socket
import struct
from collections import namedtuple

VERSION = 1
MAGIC = 0x48414D44
LONGEST_PACKET = 16 * 1024
DEFAULT_PATH = "/run/dmaheap-gateway/native.socket"

HELLO, ALLOCATE, HEAPS, USAGE, PUBLISHED, OPEN = range(1, 7)

_HEADER = struct.Struct("=IHHIIQ")
_STATUS = struct.Struct("=iI")
_REPLY = 1
_NO_QUOTA = (1 << 64) - 1

Heap = namedtuple("Heap", "name type mask used quota mappable contiguous dmabuf")
Usage = namedtuple("Usage", "bytes buffers quota")
Published = namedtuple("Published", "name size heap")


class Refused(OSError):
    """Refusal by the gateway: errno is the error number, strerror the gateway's sentence with cause and remedy."""


class ProtocolError(Exception):
    """Reply that does not keep to the protocol. The connection cannot be used any more."""


class Buffer:
    """Descriptor of shared memory: a dma-buf, or a memfd if is_memfd. Close it, or use it in a with statement."""

    def __init__(self, fd, size, is_memfd, heap):
        self.fd = fd
        self.size = size
        self.is_memfd = is_memfd
        self.heap = heap

    def fileno(self):
        return self.fd

    def map(self, access=mmap.ACCESS_WRITE):
        """Maps the whole buffer, for reading only with mmap.ACCESS_READ. The mapping stays valid after close."""
        return mmap.mmap(self.fd, self.size, access=access)

    def detach(self):
        """Returns the descriptor, which the caller closes."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self):
        if self.fd >= 0:
            os.close(self.detach())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Reader:
    def __init__(self, data):
        self._data = data
        self._at = 0

    def unpack(self, form):
        layout = struct.Struct("=" + form)
        try:
            values = layout.unpack_from(self._data, self._at)
        except struct.error as e:
            raise ProtocolError("the reply ends within a field") from e
        self._at += layout.size
        return values

    def text(self):
        (length,) = self.unpack("H")
        if length > len(self._data) - self._at:
            raise ProtocolError("the reply ends within a text")
        self._at += length
        try:
            return str(self._data[self._at - length:self._at], "utf-8")
        except UnicodeDecodeError as e:
            raise ProtocolError("a text of the reply is not UTF-8") from e

    def end(self):
        if self._at != len(self._data):
            raise ProtocolError("bytes follow the last field of the reply")


def _text(value):
    data = value.encode("utf-8")
    if len(data) > 0xFFFF:
        raise ValueError("invalid text of %d bytes: expected at most 65535" % len(data))
    return struct.pack("=H", len(data)) + data


def _texts(values):
    if isinstance(values, str):
        raise TypeError("expected a list of texts, not the text %r" % values)
    return struct.pack("=H", len(values)) + b"".join(map(_text, values))


def _quota(value):
    return None if value == _NO_QUOTA else value


class Gateway:
    """Connection to a gateway. identity is the client that memory is charged to, such as uid:1000."""

    def __init__(self, path=DEFAULT_PATH, timeout=None, agent=None):
        """Connects and says HELLO. timeout is in seconds, None for no limit; after a timeout only close is possible.

        agent is (pid, kind, name, origin) of another client, for processes that the gateway permits to name one.
        """
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
            pid, kind, name, origin = agent or (0, "", "", "")
            hello = struct.pack("=HHII", VERSION, VERSION, 1 if agent else 0, pid)
            reply, _ = self._ask(HELLO, hello + _text(kind) + _text(name) + _text(origin))
            self.version, _ = reply.unpack("HH")
            self.identity = reply.text()
            reply.end()
        except BaseException:
            self._socket.close()
            raise

    def allocate(self, size, heaps=(), name="", *, alignment=0, mask=0, read_only=False, wait=0.0, filter="",
                 devices=(), demands=(), emulations=(), pid=0):
        """Allocates zeroed memory of at least size bytes, and returns a Buffer.

        heaps are asked in this order; mask has the bits of heap ids instead. Without both, any permitted heap serves.
        With read_only the descriptor permits only reading. wait is how many seconds to wait for memory that other
        holders release. filter is an OSGi filter over the heap's properties, such as (heap.dmabuf=true). emulations
        are properties that the heap may emulate, such as contiguous. Raises Refused.
        """
        fixed = struct.pack("=QQQIIII", size, alignment, mask, 1 if read_only else 0, round(wait * 1000), pid, 0)
        return self._buffer(ALLOCATE, fixed + _text(name) + _texts(heaps) + _text(filter) + _texts(devices)
                            + _texts(demands) + _texts(emulations))

    def heaps(self):
        """Returns a Heap for each heap that this client may use. quota is None without one."""
        return self._list(HEAPS, self._heap)

    @staticmethod
    def _heap(reply):
        name, kind = reply.text(), reply.text()
        mask, used, quota, flags = reply.unpack("QQQI")
        return Heap(name, kind, mask, used, _quota(quota), bool(flags & 1), bool(flags & 2), bool(flags & 4))

    def usage(self):
        """Returns the Usage of this client: charged bytes, charged buffers, and its quota (None without one)."""
        reply, _ = self._ask(USAGE, b"")
        charged, buffers, quota = reply.unpack("QQQ")
        reply.end()
        return Usage(charged, buffers, _quota(quota))

    def published(self):
        """Returns a Published for each published buffer that this client may open."""
        return self._list(PUBLISHED, lambda reply: Published(reply.text(), reply.unpack("Q")[0], reply.text()))

    def open(self, name, read_only=True):
        """Returns a Buffer of a published buffer. Raises Refused, also when it is published for reading only."""
        return self._buffer(OPEN, struct.pack("=II", 1 if read_only else 0, 0) + _text(name))

    def _list(self, operation, element):
        elements = []
        while True:
            reply, _ = self._ask(operation, struct.pack("=II", len(elements), 0))
            total, count = reply.unpack("IH")
            elements += [element(reply) for _ in range(count)]
            reply.end()
            if count == 0 or len(elements) >= total:
                return elements

    def _buffer(self, operation, payload):
        reply, fd = self._ask(operation, payload)
        try:
            size, kind, _ = reply.unpack("QII")
            heap = reply.text()
            reply.end()
            if fd is None:
                raise ProtocolError("the reply has no descriptor")
            buffer = Buffer(fd, size, kind == 1, heap)
            fd = None
            return buffer
        finally:
            if fd is not None:
                os.close(fd)

    def _ask(self, operation, payload):
        self._serial += 1
        size = _HEADER.size + len(payload)
        if size > LONGEST_PACKET:
            raise ValueError("invalid request of %d bytes: expected at most %d" % (size, LONGEST_PACKET))
        self._socket.sendall(_HEADER.pack(MAGIC, VERSION, operation, size, 0, self._serial) + payload)
        data, fds = self._receive()
        try:
            reply = self._checked(operation, data)
            if len(fds) > 1:
                raise ProtocolError("the reply has %d descriptors" % len(fds))
            return reply, fds.pop() if fds else None
        finally:
            for fd in fds:
                os.close(fd)

    def _receive(self):
        data, controls, flags, _ = self._socket.recvmsg(
            LONGEST_PACKET, socket.CMSG_LEN(4 * 4), socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, control in controls:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(control[:len(control) - len(control) % fds.itemsize])
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            for fd in fds:
                os.close(fd)
            raise ProtocolError("the reply was cut: it is too long, or this process has too many open files")
        return data, list(fds)

    def _checked(self, operation, data):
        if not data:
            raise ConnectionResetError("the gateway has disconnected")
        if len(data) < _HEADER.size + _STATUS.size:
            raise ProtocolError("the reply has %d bytes" % len(data))
        magic, version, replied, size, flags, serial = _HEADER.unpack_from(data)
        if magic != MAGIC or version != VERSION or flags != _REPLY or size != len(data):
            raise ProtocolError("the packet is not a reply of this protocol")
        status, _ = _STATUS.unpack_from(data, _HEADER.size)
        reply = _Reader(memoryview(data)[_HEADER.size + _STATUS.size:])
        if status != 0:  # also for a connection that is refused, whose reply has no serial number
            raise Refused(-status, reply.text())
        if replied != operation or serial != self._serial:
            raise ProtocolError("the packet is the reply to another request")
        return reply

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(path=DEFAULT_PATH, timeout=None):
    """Connects to a gateway as this process's user. Raises Refused, or OSError when no gateway listens."""
    return Gateway(path, timeout)
