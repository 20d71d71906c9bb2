# SPDX-License-Identifier: Apache-2.0
"""Process that wakes up 250 times a second: stalls.py THREAD

It gives the next thread of the kernel whose name begins with THREAD a real-time priority, because an interrupt of a
real camera does not wait for other threads either. At SIGTERM it prints the longest time between two of its times, in
ms. That time is long if the machine itself had no processor, or had other work. A thread that holds a lock of the
driver waits for as long.
"""
import os
import signal
import sys
import time


def threads():
    with open("/proc/2/task/2/children") as children:
        return set(children.read().split())


def has_name(thread):
    try:
        with open(f"/proc/{thread}/comm") as name:
            return name.read().startswith(sys.argv[1])
    except OSError:
        return False  # it has ended meanwhile


ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
earlier = threads()
print("ready", flush=True)
preferred = False
longest = 0
last = time.monotonic()
while not ended:
    time.sleep(0.004)
    for thread in () if preferred else filter(has_name, threads() - earlier):
        os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(50))
        preferred = True
    now = time.monotonic()
    longest = max(longest, now - last)
    last = now
print(round(1000 * longest) if preferred else "the thread did not start", flush=True)
