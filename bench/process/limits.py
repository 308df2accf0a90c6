"""Limits on worker processes, and how whole families of processes are found and ended. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none escapes."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def limit_memory(limit_bytes: int) -> None:
    """Let allocations of more than ``limit_bytes`` beyond what the process has now fail (RLIMIT_DATA).

    RLIMIT_AS would count address space that torch reserves and never touches.
    """
    limit = limit_bytes + _data_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def limit_files(limit_bytes: int) -> None:
    """Let writes to files beyond ``limit_bytes`` fail, and leave no core dumps."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def first_to_be_killed() -> None:
    """Ask the kernel to choose this process first when the machine runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def kernel_oom_kills() -> int:
    """How many processes the kernel has killed for memory since boot, on the whole machine."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def family(pid: int) -> list[int]:
    """The process and all its descendants, parents first; empty if it is gone."""
    found = [pid] if Path(f"/proc/{pid}").exists() else []
    for member in found:
        found += [child for child in children(member) if child not in found]
    return found


def family_memory_bytes(pid: int, enough_bytes: int | None = None) -> int:
    """Resident memory of a process and its descendants: of shared pages their share (PSS), files left out.

    Shares take the kernel a walk of every page, which holds the process up. Where all that is resident, shared and of
    files too, is not above ``enough_bytes``, that is the answer: it is no less than the shares.
    """
    members = family(pid)
    resident = sum(_resident_bytes(member) for member in members)
    if enough_bytes is not None and resident <= enough_bytes:
        return resident
    total = 0
    for member in members:
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    total += int(line.split()[1]) * 1024
    return total


def children(pid: int) -> list[int]:
    """The direct children of a process, adopted ones among them; a look of 30 µs where the kernel lists them."""
    with contextlib.suppress(OSError):
        lists = list(Path(f"/proc/{pid}/task").glob("*/children"))
        if lists:
            return [int(child) for one in lists for child in one.read_text().split()]
    with contextlib.suppress(psutil.Error):
        return [process.pid for process in psutil.Process(pid).children()]
    return []


def anonymous_bytes(pid: int) -> int:
    """Resident memory of no file, what a fork shares with its server included; 0 if the process is gone."""
    with contextlib.suppress(OSError):
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * resource.getpagesize()
    return 0


def kill_family(pid: int) -> None:
    """Kill the process, its process group and all its descendants, wherever they moved themselves."""
    members = family(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for member in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
