# SPDX-License-Identifier: Apache-2.0
"""Tests of unmodified programs, plain and in containers on version 2 of cgroups, with the shipped units."""

import json
import re
import shutil
import unittest
from pathlib import Path

import machine
from machine import ACME, AGENT, DEPLOY, GATEWAY, PROGRAMS, SYSTEM, Program, attach, await_true, journal, launched, \
    main_pid, run, show

BUNDLES = Path("/opt/bundles")
# CAP_SYS_PTRACE (19) and CAP_DAC_READ_SEARCH (2).
CAPABILITIES = f"{1 << 19 | 1 << 2:016x}"

# In form a config.json of a container runtime, for a program that knows no heap.
CONFIG = {
    "ociVersion": "1.0.2",
    "process": {"user": {"uid": 1000, "gid": 1000}, "args": ["/node-client"], "cwd": "/", "noNewPrivileges": True},
    "root": {"path": "rootfs"},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    ],
    "linux": {
        "cgroupsPath": None,
        "resources": {"memory": {"limit": 64 << 20}, "devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc", "network", "cgroup")],
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [{"names": ["mount", "umount2", "ptrace", "bpf", "setns"], "action": "SCMP_ACT_ERRNO"}],
        },
    },
}


def setUpModule():
    machine.install()
    machine.start_agent()


def await_another(line, act):
    """Acts and waits until the gateway's log has one more line like this."""
    before = len(re.findall(line, journal()))
    act()
    await_true(line, lambda: len(re.findall(line, journal())) > before, journal)


def drop_in():
    await_another("heap 'acme' of bundle .* serves", lambda: shutil.copy(machine.VENDORS_HEAP, DEPLOY))


def pull_out():
    await_another("vendor-heap.jar is removed", (DEPLOY / machine.VENDORS_HEAP.name).unlink)


def container(runtime):
    """Makes a container with a profile by the shell's command, and starts its program."""
    bundle = BUNDLES / runtime
    (bundle / "rootfs").mkdir(parents=True)
    for folder in ("proc", "dev"):
        (bundle / "rootfs" / folder).mkdir()
    shutil.copy(PROGRAMS / "node-client", bundle / "rootfs")
    config = json.loads(json.dumps(CONFIG))
    config["linux"]["cgroupsPath"] = f"/containers/{runtime}"
    machine.write(bundle / "plain.json", json.dumps(config))
    machine.write(bundle / "config.json",
                  attach(f"dmaheap:oci-profile --metadata {runtime} --nodes {SYSTEM},{ACME} {bundle}/plain.json"))
    return Program(runtime, "run", "--bundle", str(bundle), f"camera-{runtime}")


class AgentTest(unittest.TestCase):
    def test_the_agent_has_its_two_capabilities_and_a_socket_for_each_kind_of_starter(self):
        status = Path(f"/proc/{main_pid(AGENT)}/status").read_text()
        self.assertIn(f"CapEff:\t{CAPABILITIES}", status)
        self.assertIn(f"CapBnd:\t{CAPABILITIES}", status)
        for name, mode, group in (("run.socket", 0o140660, "dmaheap-run"), ("oci.socket", 0o140600, "dmaheap-agent")):
            socket = Path("/run/dmaheap-agent") / name
            self.assertEqual((mode, "dmaheap-agent", group), (socket.stat().st_mode, socket.owner(), socket.group()))

    def test_an_ordinary_users_program_gets_what_a_kernels_heap_gives(self):
        # 32 MiB are above its quota. docs/native-programs.md has the rows that differ: a dma-buf is always O_RDWR.
        rows = run(*launched(PROGRAMS / "dma-heap-client", SYSTEM, 32 << 20), status=1)
        self.assertIn("the buffer is a dma-buf", rows)
        self.assertEqual(["O_RDONLY", "read-only"], re.findall("^DIFFERS .*(O_RDONLY|read-only)", rows, re.MULTILINE))
        self.assertIn("2 rows differ", rows)

    def test_a_user_without_the_group_is_refused_by_the_launcher(self):
        self.assertIn("run.socket", run(*launched(PROGRAMS / "node-client", user="other"), status=125))

    def test_a_program_that_runs_gets_memory_of_a_heap_that_is_dropped_in(self):
        program = Program(*launched(PROGRAMS / "node-client"))
        program.ask(f"alloc {ACME} 4096", "ENODEV")
        drop_in()
        program.ask(f"alloc {ACME} 1048576", "ok")
        self.assertIn("uid:1000", attach("dmaheap:clients"))
        pull_out()
        program.ask(f"alloc {ACME} 4096", "ENODEV")
        program.ask("check", "ok")
        program.end()

    def check_container(self, runtime):
        program = container(runtime)
        try:
            program.ask(f"alloc {SYSTEM} 1048576", "ok")
            program.ask(f"alloc {ACME} 4096", "ENODEV")
            drop_in()
            program.ask(f"alloc {ACME} 1048576", "ok")
            program.ask(f"alloc {ACME} 4194304", "ENOMEM")
            cgroup = Path(f"/sys/fs/cgroup/containers/{runtime}")
            self.assertEqual(str(64 << 20), (cgroup / "memory.max").read_text().strip())
            dump = attach("dmaheap:dump --json")
            self.assertIn(f"container:{runtime}", dump)
            self.assertIn(f"process {(cgroup / 'cgroup.procs').read_text().split()[0]} of camera-{runtime}", dump)
            program.ask("check", "ok")
            program.end()
        finally:
            program.process.kill()
        pull_out()
        await_true("no charge is left", lambda: "container:" not in attach("dmaheap:dump --json"))

    def test_a_container_of_runc_gets_memory_of_a_heap_that_is_dropped_in(self):
        self.check_container("runc")

    def test_a_container_of_crun_gets_memory_of_a_heap_that_is_dropped_in(self):
        self.check_container("crun")
