# SPDX-License-Identifier: Apache-2.0
"""Example of a native client in Python: python3 frame.py [SOCKET], with clients/python in PYTHONPATH."""
import sys

import dmaheap

path = sys.argv[1] if len(sys.argv) > 1 else dmaheap.DEFAULT_PATH
try:
    with dmaheap.connect(path) as gateway:
        with gateway.allocate(1 << 20, heaps=["system"], name="frame") as buffer, buffer.map() as memory:
            memory[:5] = b"hello"
            print(f"{memory[:5].decode()} from {buffer.size} bytes of heap {buffer.heap}, charged to {gateway.identity}")
except OSError as e:  # a refusal of the gateway is one as well
    sys.exit(e.strerror or str(e))
