# SPDX-License-Identifier: Apache-2.0
"""Process that keeps one page of a file in a pipe, without a descriptor or a mapping of the file.

keeper.py FILE OFFSET   prints "kept" when it has the page. When it reads a line, it prints the page's first byte.
"""
import os
import sys

file = os.open(sys.argv[1], os.O_RDONLY)
out, into = os.pipe()
os.splice(file, into, 4096, offset_src=int(sys.argv[2]))
os.close(file)
print("kept", flush=True)
sys.stdin.readline()
print(os.read(out, 1)[0], flush=True)
