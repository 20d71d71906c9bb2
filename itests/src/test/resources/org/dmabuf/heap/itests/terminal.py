# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a separate terminal, like a user at a keyboard.

usage: terminal.py PAIRS COMMAND...   PAIRS is a Python list of (text to wait for, keys to type after it)

Prints the output of the command, and exits with its status. Ctrl-C is pressed again every 3 s until the next text
comes, because Gogo loses it between two commands of a line.
"""
import ast, fcntl, os, pty, select, struct, sys, termios, time

SECONDS = 60
CTRL_C = '\x03'
CTRL_C_SECONDS = 3

pairs = ast.literal_eval(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.environ['TERM'] = 'xterm'
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
written = b''
seen = 0
pressed = None
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    if pairs and pairs[0][0].encode() in written[seen:]:
        seen = len(written)
        keys = pairs.pop(0)[1]
        os.write(terminal, keys.encode())
        pressed = time.monotonic() if keys == CTRL_C else None
    elif pairs and pressed and time.monotonic() - pressed > CTRL_C_SECONDS:
        os.write(terminal, CTRL_C.encode())
        pressed = time.monotonic()
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break  # the other side of the terminal is closed
        if not piece:
            break
        written += piece
sys.stdout.write(written.decode(errors='replace'))
if time.monotonic() >= end:
    sys.exit('terminal.py: not done after %d s, waiting for %r' % (SECONDS, pairs[:1]))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
