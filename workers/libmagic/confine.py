"""Takes all rights from a process except reading its input. Imported by the child only.

Limits hold on every system that knows them, the filter of system calls on Linux, on x86-64 and
ARM64. Sources: setrlimit(2), prctl(2), seccomp(2), the kernel's `audit.h` and `unistd.h`.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from typing import Final

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of address space; libmagic, its database and Python need some 45 MiB."""

CPU_SECONDS: Final = 2.0
"""For one file; libmagic needs milliseconds."""

_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050001  # SECCOMP_RET_ERRNO with EPERM
_KILL: Final = 0x80000000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_NUMBER_AT: Final = 0  # in struct seccomp_data
_ARCHITECTURE_AT: Final = 4

# Allowed: reading and writing open files, memory, time, signals, and exit. Nothing that opens,
# connects, starts or looks around.
_CALLS: Final = {
    "x86_64": (
        0xC000003E,
        # read write mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn mremap
        # madvise setitimer exit sigaltstack gettimeofday time futex clock_gettime exit_group
        # getrandom
        (0, 1, 9, 10, 11, 12, 13, 14, 15, 25, 28, 38, 60, 131, 96, 201, 202, 228, 231, 318),
    ),
    "aarch64": (
        0xC00000B7,
        # read write exit exit_group futex setitimer clock_gettime sigaltstack rt_sigaction
        # rt_sigprocmask rt_sigreturn gettimeofday brk munmap mremap mmap mprotect madvise
        # getrandom
        (63, 64, 93, 94, 98, 103, 113, 132, 134, 135, 139, 169, 214, 215, 216, 222, 226, 233, 278),
    ),
}


def confine() -> str:
    """Give up files, descriptors, processes and the network, and bound memory; returns how.

    It cannot be undone. Open files stay open: only standard input and output should be.
    """
    os.closerange(3, 1024)
    _limit(resource.RLIMIT_AS, MEMORY)
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        _limit(nothing, 0)
    _limit(resource.RLIMIT_CORE, 0)
    return "limits and seccomp" if _filter_calls() else "limits"


def begin_counting() -> None:
    """From here on, CPU_SECONDS of computing end the process, however deep in C it is."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _filter_calls() -> bool:
    """Whether the kernel accepted a filter of system calls."""
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return False
    program = _program(*_CALLS[platform.machine()])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    prctl = ctypes.CDLL(None).prctl
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    taken: int = prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)
    return taken == 0


def _program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """Another architecture's call kills; a call of the list passes; any other gets EPERM."""
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        *((_IF_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
