# SPDX-License-Identifier: Apache-2.0
"""Tests of the units' stop, and of starts that another drop-in makes different."""

import unittest
from pathlib import Path

import machine
from machine import AGENT, GATEWAY, PROGRAMS, SYSTEM, Program, attach, await_true, failed_units, journal, launched, \
    main_pid, run, show


def setUpModule():
    machine.install()
    machine.start_agent()


def tearDownModule():
    run("systemctl", "start", GATEWAY, AGENT)


class StopTest(unittest.TestCase):
    def test_both_units_stop_cleanly_in_their_order_and_a_program_keeps_its_memory(self):
        program = Program(*launched(PROGRAMS / "node-client"))
        program.ask(f"alloc {SYSTEM} 1048576", "ok")
        # As at the machine's end, both stop in one transaction. 'systemctl stop' with two names makes two.
        machine.write("/etc/systemd/system/both.target", "[Unit]\nDescription=Both services\n")
        for unit in (GATEWAY, AGENT):
            machine.set_drop_in(unit, "[Unit]\nPartOf=both.target")
        run("systemctl", "start", "both.target")
        run("systemctl", "stop", "both.target")
        await_true("both have stopped",
                   lambda: {"inactive"} == {show(unit, "ActiveState") for unit in (GATEWAY, AGENT)})
        for unit in (GATEWAY, AGENT):
            machine.remove_drop_in(unit)
        log = run("journalctl", "--no-pager", f"--unit={GATEWAY}", f"--unit={AGENT}")
        self.assertLess(log.rindex(f"Stopped {AGENT}.service"), log.rindex(f"Stopping {GATEWAY}.service"))
        for unit in (GATEWAY, AGENT):
            self.assertEqual(("inactive", "success", "143"),
                             tuple(show(unit, name) for name in ("ActiveState", "Result", "ExecMainStatus")))
            self.assertFalse(Path("/run", unit).exists())
        self.assertEqual([], list(Path("/var/lib/dmaheap-gateway/cache").iterdir()))
        self.assertEqual("", failed_units())
        program.ask(f"alloc {SYSTEM} 4096", "ENOSYS")
        program.ask("check", "ok")
        program.end()

    def test_invalid_options_are_an_error_without_a_restart(self):
        machine.set_drop_in(GATEWAY, f"ExecStart=\nExecStart={machine.HOME}/bin/gateway --daemons")
        try:
            run("systemctl", "start", GATEWAY, status=1)
            self.assertEqual("2", show(GATEWAY, "ExecMainStatus"))
            self.assertEqual(("failed", "0"), (show(GATEWAY, "ActiveState"), show(GATEWAY, "NRestarts")))
            self.assertIn("--daemons", journal("--lines=10"))
        finally:
            machine.remove_drop_in(GATEWAY)
            run("systemctl", "reset-failed", GATEWAY)

    def test_a_user_that_systemd_makes_for_each_start_serves_the_same_heaps(self):
        machine.set_drop_in(GATEWAY, "DynamicUser=yes\nUser=gateway-of-today\nGroup=\nSupplementaryGroups=dmaheap")
        try:
            run("systemctl", "start", GATEWAY)
            self.assertRegex(attach("dmaheap:list"), r"system +system +dma-heap +yes +serving")
            self.assertIn(Path(f"/proc/{main_pid()}").stat().st_uid, range(61184, 65520))  # systemd's dynamic users
        finally:
            run("systemctl", "stop", GATEWAY)
            machine.remove_drop_in(GATEWAY)
