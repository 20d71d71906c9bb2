# SPDX-License-Identifier: Apache-2.0
"""Client of the tests: client.py PATH COMMAND ARGUMENT..., one line of output for each result."""
import mmap
import sys

import dmaheap


def hold(buffer):
    with buffer, buffer.map(mmap.ACCESS_READ) as memory:
        print(buffer.size, "memfd" if buffer.is_memfd else "dma-buf", buffer.heap, memory[0], flush=True)
        sys.stdin.read()  # holds the memory until the test closes the standard input


def main(path, command, *words):
    with dmaheap.connect(path, timeout=30) as gateway:
        if command == "identity":
            print(gateway.identity)
        elif command == "allocate":
            hold(gateway.allocate(int(words[0]), heaps=words[1:], name="frame"))
        elif command == "open":
            hold(gateway.open(words[0]))
        elif command == "heaps":
            for heap in gateway.heaps():
                print(heap.name, heap.type, format(heap.mask, "x"))
        elif command == "published":
            for buffer in gateway.published():
                print(buffer.name, buffer.size, buffer.heap)
        else:
            usage = gateway.usage()
            print(usage.bytes, usage.buffers, (1 << 64) - 1 if usage.quota is None else usage.quota)


try:
    main(*sys.argv[1:])
except dmaheap.Refused as refusal:
    print(-refusal.errno, refusal.strerror)
    sys.exit(1)
