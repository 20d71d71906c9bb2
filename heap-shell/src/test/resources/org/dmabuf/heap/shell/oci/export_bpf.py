# SPDX-License-Identifier: Apache-2.0
"""Writes the filter that libseccomp makes of a profile in the form of the runtime specification.

usage: export_bpf.py PROFILE FILTER

It makes the same calls as runc 1.1. Exit status 77: libseccomp is not installed.
"""
import ctypes
import json
import os
import sys

try:
    lib = ctypes.CDLL("libseccomp.so.2")
except OSError as e:
    print(e, file=sys.stderr)
    sys.exit(77)


class Condition(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
OPERATORS = ["", "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
             "SCMP_CMP_MASKED_EQ"]

lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
lib.seccomp_arch_resolve_name.restype = ctypes.c_uint32
EEXIST = 17


def check(result, call, *accepted):
    if result < 0 and -result not in accepted:
        sys.exit(f"{call} failed: {os.strerror(-result)}")


def action_of(rule, name="action", number="errnoRet"):
    action = ACTIONS[rule[name]]
    return action | rule.get(number, 1) if action == ACTIONS["SCMP_ACT_ERRNO"] else action


def main():
    with open(sys.argv[1]) as file:
        profile = json.load(file)
    default = action_of(profile, "defaultAction", "defaultErrnoRet")
    context = lib.seccomp_init(ctypes.c_uint32(default))
    if not context:
        sys.exit("seccomp_init failed")
    for name in profile["architectures"]:
        token = lib.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
        check(lib.seccomp_arch_add(context, token), f"seccomp_arch_add {name}", EEXIST)
    for rule in profile.get("syscalls", []):
        action = action_of(rule)
        if action == default:
            continue
        for name in rule["names"]:
            number = lib.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                continue
            given = [Condition(c.get("index", 0), OPERATORS.index(c["op"]), c.get("value", 0), c.get("valueTwo", 0))
                     for c in rule.get("args") or []]
            twice = len({c.arg for c in given}) < len(given)
            for conditions in [[c] for c in given] if twice else [given]:
                array = (Condition * len(conditions))(*conditions)
                check(lib.seccomp_rule_add_array(context, action, number, len(conditions), array),
                      f"seccomp_rule_add_array {name}")
    with open(sys.argv[2], "wb") as file:
        check(lib.seccomp_export_bpf(context, file.fileno()), "seccomp_export_bpf")


main()
