"""Runs a command under the system calls and the memory that a unit allows, as systemd would.

`python -m tests.deploy.confine UNIT COMMAND…`. Each call that the unit's SystemCallFilter does not
admit fails with EPERM. For x86-64.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

HEADER: Final = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
"""Where the calls' numbers are; of Debian's linux-libc-dev."""

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_PR_SET_MDWE = 65
_SECCOMP_MODE_FILTER = 2
_LOAD_NUMBER = (0x20, 0, 0, 0)
_EQUAL = 0x15
_ALLOW = (0x06, 0, 0, 0x7FFF0000)
_EPERM = (0x06, 0, 0, 0x00050001)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def admitted(unit: str) -> AbstractSet[str]:
    """The calls that a unit's SystemCallFilter lines admit, the later line winning."""
    calls: set[str] = set()
    for words in re.findall(r"(?m)^SystemCallFilter=(.*)$", unit):
        if words.startswith("~"):
            calls -= _calls(words[1:].split())
        else:
            calls |= _calls(words.split())
    return calls


def _calls(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = subprocess.run(
            ["systemd-analyze", "syscall-filter", "--no-pager", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        lines = (line.strip() for line in listed.splitlines()[1:])
        found |= _calls(line for line in lines if line and not line.startswith("#"))
    return found


def _confine(calls: AbstractSet[str]) -> None:
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text()))
    known = sorted(int(numbers[call]) for call in calls & numbers.keys())
    tests = [(_EQUAL, 0, 1, number) for number in known]
    rules = [_LOAD_NUMBER, *(rule for test in tests for rule in (test, _ALLOW)), _EPERM]
    code = b"".join(struct.pack("=HBBI", *rule) for rule in rules)
    program = _Program(len(rules), code)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_MDWE, 1)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _prctl(*arguments: object) -> None:
    padded = [a if not isinstance(a, int) else ctypes.c_ulong(a) for a in arguments]
    padded += [ctypes.c_ulong(0)] * (5 - len(padded))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*padded) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    unit, *command = sys.argv[1:]
    _confine(admitted(Path(unit).read_text()))
    os.execvp(command[0], command)
