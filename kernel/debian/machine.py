# SPDX-License-Identifier: Apache-2.0
"""The guest as its administrator sees it: commands, units, and the gateway's package."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(os.environ["CHECKOUT"])
PROGRAMS = Path("/opt/programs")
SYSTEM = "/dev/dma_heap/system"
ACME = "/dev/dma_heap/acme"
ETC = Path("/etc/dmaheap-gateway")
DEPLOY = Path("/var/lib/dmaheap-gateway-deploy")
HOME = Path("/usr/share/dmaheap-gateway")
VENDORS_HEAP = HOME / "examples/vendor-heap.jar"
GATEWAY = "dmaheap-gateway"
AGENT = "dmaheap-agent"
# A start of the gateway takes half a minute, and several minutes on a busy host.
SECONDS = 600

# The second compiler does not pay in an emulated machine.
SETTINGS = {
    "/etc/systemd/system.conf.d/guest.conf": """[Manager]
DefaultEnvironment="JAVA_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" AGENT_JAVA_OPTS=-XX:TieredStopAtLevel=1
""",
    **{f"/run/systemd/system/{unit}.service.d/guest.conf": f"""[Service]
TimeoutStartSec={SECONDS}
TimeoutStopSec={SECONDS}
""" for unit in (GATEWAY, AGENT)},
}


def run(*command, status=0, **options):
    """Runs a command and returns its output with the errors. Any other status is a failure."""
    options = {"stdin": subprocess.DEVNULL, "timeout": SECONDS, **options}
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != status:
        raise AssertionError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def attach(command, status=0):
    """Runs a command of the shell in the gateway."""
    return run("dmaheap-gateway", "--attach", command, status=status)


def await_true(what, condition, *more):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {SECONDS} s: {what}\n" + "\n".join(each() for each in more))
        time.sleep(0.2)


def show(unit, name):
    return run("systemctl", "show", "--property", name, "--value", unit).strip()


def main_pid(unit=GATEWAY):
    return int(show(unit, "MainPID"))


def journal(*options, unit=GATEWAY):
    return run("journalctl", "--no-pager", "--output=short-monotonic", f"--unit={unit}", *options)


def failed_units():
    return run("systemctl", "list-units", "--failed", "--plain", "--no-legend")


def write(file, text):
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def set_drop_in(unit, text):
    write(f"/run/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{text}\n")
    run("systemctl", "daemon-reload")


def remove_drop_in(unit):
    Path(f"/run/systemd/system/{unit}.service.d/test.conf").unlink()
    run("systemctl", "daemon-reload")


def package():
    """Returns the package of the last build."""
    return max((CHECKOUT / "distribution/target").glob(f"{GATEWAY}_*_amd64.deb"), key=lambda file: file.stat().st_mtime)


def apt(*words):
    return run("apt-get", "--yes", "-o", "Dpkg::Use-Pty=0", *words,
               env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def install():
    """Installs the package, if that has not happened, and waits for nothing: the package starts the service."""
    if HOME.exists():
        return
    for file, text in SETTINGS.items():
        write(file, text)
    run("systemctl", "daemon-reload")
    apt("install", str(package()))


def await_up():
    """Waits until both services serve: the agent is active before it has its sockets."""
    sockets = [Path("/run", GATEWAY, "native.socket"), Path("/run", AGENT, "run.socket")]
    await_true("both services serve",
               lambda: show(GATEWAY, "ActiveState") == "active" and all(socket.exists() for socket in sockets), journal)


def start_agent():
    """Starts the agent, if that has not happened: for the user camera, and for containers. The gateway's heap acme is
    not there yet."""
    if PROGRAMS.exists():
        await_up()
        return
    shutil.copytree(os.environ["PROGRAMS"], PROGRAMS)  # where all users can read them
    run("systemd-sysusers", "-", stdin=None, input="u! camera 1000 -\nu! other 1001 -\nm camera dmaheap-run\n")
    write(ETC / "org.dmabuf.heap.native.cfg", """access = group:dmaheap
agents = dmaheap-agent
allow = system=uid:1000 system=container:* acme=uid:1000 acme=container:*
""")
    with (ETC / "org.dmabuf.heap.broker.cfg").open("a") as settings:
        settings.write("quota.client = uid:1000=16M container:runc=2M container:crun=4M\n")
    with (ETC / "agent.properties").open("a") as settings:
        settings.write(f"run.group = dmaheap-run\nnode.{ACME} = dma-heap acme\n")
    run("systemctl", "enable", "--now", AGENT)
    await_up()


def launched(*command, user="camera"):
    """Returns the words that start a program with the agent's nodes."""
    return ("runuser", "-u", user, "--", "dmaheap-run", "--", *map(str, command))


class Program:
    """Running node-client, which knows only the kernel's ABI and allocates on command."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.expect("ready")

    def expect(self, expected):
        reply = self.process.stdout.readline().strip()
        if reply != expected:
            raise AssertionError(f"expected {expected}, got {reply or 'the end of its output'}")

    def ask(self, command, expected):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.expect(expected)

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        self.process.stdout.close()
        if status != 0:
            raise AssertionError(f"{self.process.args} ended with {status}")
