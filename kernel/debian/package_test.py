# SPDX-License-Identifier: Apache-2.0
"""Tests of the life of the gateway's package, from an upgrade to the purge, and of an installation without a JDK."""

import os
import re
import shutil
import unittest
from pathlib import Path

import machine
from machine import AGENT, DEPLOY, ETC, GATEWAY, PROGRAMS, SYSTEM, Program, apt, attach, await_true, failed_units, \
    journal, launched, main_pid, run, show

CARVEOUT = ETC / "org.dmabuf.heap.carveout-small.cfg"
BOTH_CHANGED = ETC / "org.dmabuf.heap.system.cfg"
NEXT = Path("/opt/next.deb")


def setUpModule():
    machine.install()
    machine.start_agent()


def make_next_version():
    """Makes the package of a later version, which changes a configuration file."""
    tree = Path("/opt/next")
    run("dpkg-deb", "--raw-extract", str(machine.package()), str(tree))
    control = tree / "DEBIAN/control"
    control.write_text(re.sub("^Version: .*", "Version: 99", control.read_text(), flags=re.MULTILINE))
    with (tree / BOTH_CHANGED.relative_to("/")).open("a") as settings:
        settings.write("# A comment of the next version.\n")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(NEXT))


def version():
    return run("dpkg-query", "--show", "--showformat=${Version} ${db:Status-Status}", GATEWAY)


def files():
    """Returns the files whose names are those of the package."""
    return sorted(run("find", "/etc", "/usr", "/var", "-name", "*dmaheap*",
                      "-not", "-path", "/etc/systemd/system/dmaheap-gateway.service.d*").splitlines())


class PackageTest(unittest.TestCase):
    def test_a_changed_setting_takes_effect_without_a_restart(self):
        before = main_pid()
        CARVEOUT.write_text(re.sub("^size = .*", "size = 32M", CARVEOUT.read_text(), flags=re.MULTILINE))
        await_true("32 MiB", lambda: re.search("carveout .* 32 MiB", attach("dmaheap:list")), journal)
        self.assertEqual(before, main_pid())

    def test_an_upgrade_restarts_the_service_and_keeps_settings_heaps_and_memory_of_clients(self):
        program = PackageTest.holder = Program(*launched(PROGRAMS / "node-client"))
        program.ask(f"alloc {SYSTEM} 1048576", "ok")
        shutil.copy(machine.VENDORS_HEAP, DEPLOY)
        with BOTH_CHANGED.open("a") as settings:
            settings.write("# A comment of the administrator.\n")
        before = main_pid(), main_pid(AGENT)
        make_next_version()
        apt("install", "-o", "Dpkg::Options::=--force-confold", str(NEXT))
        machine.await_up()
        self.assertEqual("99 installed", version())
        self.assertEqual(["active", "active"], [show(unit, "ActiveState") for unit in (GATEWAY, AGENT)])
        self.assertFalse({*before} & {main_pid(), main_pid(AGENT)})
        heaps = attach("dmaheap:list")
        self.assertRegex(heaps, "carveout .* 32 MiB")
        self.assertRegex(heaps, "acme .* serving")
        self.assertIn("of the administrator", BOTH_CHANGED.read_text())
        self.assertIn("of the next version", Path(f"{BOTH_CHANGED}.dpkg-dist").read_text())
        self.assertEqual("", failed_units())
        program.ask("check", "ok")
        another = Program(*launched(PROGRAMS / "node-client"))
        another.ask(f"alloc {SYSTEM} 1048576", "ok")
        another.end()

    def test_removed_nothing_runs_and_settings_and_memory_of_clients_stay(self):
        apt("remove", GATEWAY)
        self.assertEqual("99 config-files", version())
        self.assertEqual(["inactive", "inactive"], [show(unit, "ActiveState") for unit in (GATEWAY, AGENT)])
        self.assertEqual(["not-found", "not-found"], [show(unit, "LoadState") for unit in (GATEWAY, AGENT)])
        self.assertEqual("", failed_units())
        self.assertIn("size = 32M", CARVEOUT.read_text())
        self.assertFalse(Path("/usr/bin/dmaheap-gateway").exists())
        self.assertEqual([], list(Path("/run").glob("dmaheap*")))
        PackageTest.holder.ask("check", "ok")
        PackageTest.holder.end()

    def test_installed_again_it_serves_with_the_settings_that_stayed(self):
        apt("install", "-o", "Dpkg::Options::=--force-confold", str(NEXT))
        self.assertRegex(attach("dmaheap:list"), "carveout .* 32 MiB")
        self.assertEqual(["active", "active"], [show(unit, "ActiveState") for unit in (GATEWAY, AGENT)])

    def test_purged_only_the_files_of_the_administrator_stay(self):
        run("systemctl", "disable", "--now", AGENT)
        apt("purge", GATEWAY)
        self.assertEqual([str(ETC), str(DEPLOY)], files())
        self.assertEqual(["org.dmabuf.heap.native.cfg"], [file.name for file in ETC.iterdir()])
        self.assertEqual([machine.VENDORS_HEAP.name], [jar.name for jar in DEPLOY.iterdir()])
        self.assertEqual("", run("systemctl", "list-unit-files", "--no-legend", "dmaheap*", status=1))
        self.assertEqual("", failed_units())
        for folder in (ETC, DEPLOY):
            shutil.rmtree(folder)

    def test_installed_without_a_jdk_the_log_names_the_remedy_and_the_package_is_complete(self):
        os.rename("/usr/lib/jvm", "/usr/lib/no-jvm")
        try:
            apt("install", str(machine.package()))
            self.assertIn("installed", version())
            self.assertIn("no Java 25 or later", journal("--lines=30"))
            self.assertIn("install a JDK 25", journal("--lines=30"))
        finally:
            os.rename("/usr/lib/no-jvm", "/usr/lib/jvm")
            apt("purge", GATEWAY)
        self.assertEqual([], files())
        self.assertEqual("", failed_units())
