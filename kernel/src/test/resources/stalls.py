# SPDX-License-Identifier: Apache-2.0
"""Process that wakes up 250 times a second before all others, and prints the longest time between two times, in ms.

It is long if the machine itself had no processor, or the kernel did not let go of it. Ends at SIGTERM.
"""
import os
import signal
import time

ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(60))
print("ready", flush=True)
longest = 0
last = time.monotonic()
while not ended:
    time.sleep(0.004)
    now = time.monotonic()
    longest = max(longest, now - last)
    last = now
print(round(1000 * longest), flush=True)
