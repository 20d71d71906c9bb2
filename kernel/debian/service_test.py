# SPDX-License-Identifier: Apache-2.0
"""Tests of the gateway's unit under systemd, as its package installs and starts it."""

import os
import signal
import unittest
from pathlib import Path

import machine
from machine import GATEWAY, attach, await_true, failed_units, journal, main_pid, run, show


def setUpModule():
    machine.install()


def process(file, name):
    """Returns a line of a file of the gateway's process, without its name."""
    lines = Path(f"/proc/{main_pid()}/{file}").read_text().splitlines()
    return next(line for line in lines if line.startswith(name))[len(name):].split()


def access(node):
    return [line for line in run("getfacl", "--absolute-names", node).splitlines() if line]


def in_service(*command, status=0):
    """Runs a command as root with the files that the gateway sees."""
    return run("nsenter", f"--target={main_pid()}", "--mount", *command, status=status)


class ServiceTest(unittest.TestCase):
    def test_installed_the_service_is_ready_when_its_bundles_run(self):
        self.assertEqual("active", show(GATEWAY, "ActiveState"))
        self.assertEqual("enabled", show(GATEWAY, "UnitFileState"))
        log = journal()
        self.assertLess(log.index("the gateway is up"), log.index("Started dmaheap-gateway.service"))
        self.assertIn("well", run("dmaheap-gateway", "status"))
        self.assertEqual("", failed_units())

    def test_systemd_finds_no_mistake_in_the_units(self):
        self.assertEqual("", run("systemd-analyze", "verify", "dmaheap-gateway.service", "dmaheap-agent.service"))

    def test_its_process_has_no_capability_and_the_limits_of_the_unit(self):
        user = run("id", "--user", "dmaheap").strip()
        self.assertEqual([user] * 4, process("status", "Uid:"))
        self.assertEqual([run("id", "--group", "dmaheap").strip()], process("status", "Groups:"))
        for kind in ("CapPrm:", "CapEff:", "CapInh:", "CapBnd:", "CapAmb:"):
            self.assertEqual(["0" * 16], process("status", kind))
        self.assertEqual(["1"], process("status", "NoNewPrivs:"))
        self.assertEqual("65536", process("limits", "Max open files")[0])
        self.assertEqual(str(256 << 20), process("limits", "Max locked memory")[0])

    def test_its_user_takes_memory_from_the_kernels_heap_and_from_udmabuf(self):
        heaps = attach("dmaheap:alloc -h system -n one 1M; dmaheap:alloc -h carveout -n two 1M; dmaheap:list")
        self.assertRegex(heaps, r"system +system +dma-heap +yes +serving")
        self.assertRegex(heaps, r"carveout +carveout +udmabuf +yes +serving")

    def test_the_rule_of_udev_adds_access_and_leaves_owner_group_and_mode(self):
        rights = "group:dmaheap:rw-"
        self.assertEqual(
            ["# owner: root", "# group: root", "user::rw-", "group::---", rights, "mask::rw-", "other::---"],
            access("/dev/dma_heap/system")[1:])
        self.assertIn(rights, access("/dev/udmabuf"))
        self.assertIn("# group: kvm", access("/dev/udmabuf"))
        run("setfacl", "--remove-all", "/dev/dma_heap/system")
        self.assertNotIn(rights, access("/dev/dma_heap/system"))
        run("udevadm", "trigger", "--settle", "--action=add", "/dev/dma_heap/system")
        self.assertIn(rights, access("/dev/dma_heap/system"))

    def test_its_folders_belong_to_its_user_and_everything_else_is_read_only(self):
        for folder, mode in (("/run/dmaheap-gateway", 0o40755), ("/run/dmaheap-gateway/control", 0o140600),
                             ("/var/lib/dmaheap-gateway", 0o40700)):
            self.assertEqual((mode, "dmaheap"), (Path(folder).stat().st_mode, Path(folder).owner()), folder)
        Path("/tmp/of-others").touch()
        in_service("test", "!", "-e", "/tmp/of-others")
        for folder in ("/run/dmaheap-gateway", "/var/lib/dmaheap-gateway"):
            in_service("test", "-w", folder)
        for folder in ("/etc/dmaheap-gateway", machine.HOME, machine.DEPLOY, "/usr", "/var/lib"):
            in_service("test", "!", "-w", folder)

    def test_a_warning_has_the_priority_of_a_warning_in_the_journal(self):
        broken = machine.DEPLOY / "broken.jar"
        broken.write_text("no jar")
        await_true("a line about the jar", lambda: "broken.jar" in journal(), journal)
        warnings = journal("--priority=warning")
        broken.unlink()
        self.assertIn("broken.jar", warnings)
        self.assertNotIn("the gateway is up", warnings)

    def test_a_limit_of_memory_refuses_a_request_and_the_service_stays(self):
        before = main_pid()
        with (machine.ETC / "org.dmabuf.heap.broker.cfg").open("a") as settings:
            settings.write("allow = secure=org.dmabuf.heap.shell\n")
        run("systemctl", "set-property", "--runtime", GATEWAY, "MemoryMax=320M")
        command = "dmaheap:alloc -h secure --emulated protected 200M"
        await_true("the refusal for the limit", lambda: "memory.max" in attach(command, status=1), journal)
        run("systemctl", "set-property", "--runtime", GATEWAY, "MemoryMax=infinity")
        self.assertEqual(before, main_pid())

    def test_the_watchdog_replaces_a_gateway_that_does_not_answer(self):
        before = main_pid()
        os.kill(before, signal.SIGSTOP)
        await_true("another process", lambda: main_pid() not in (0, before), journal)
        await_true("the service is ready", lambda: show(GATEWAY, "ActiveState") == "active", journal)
        self.assertIn("Watchdog timeout", journal())
        self.assertGreaterEqual(int(show(GATEWAY, "NRestarts")), 1)
        self.assertIn("well", run("dmaheap-gateway", "status"))
        caches = list(Path("/var/lib/dmaheap-gateway/cache").iterdir())
        self.assertEqual(1, len(caches), caches)
