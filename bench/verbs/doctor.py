"""Look at this machine: versions, processor, clocks, threads, GPUs, and what will be measured how."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import click

from bench import cache, eviction, machine
from bench.meters import heap
from bench.store import DEFAULT_PATH
from bench.store.journal import on_network_file_system
from bench.verbs._units import bytes_in_words


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and, where it will spoil numbers, what to do about it."""

    subject: str
    found: str
    advice: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def doctor(as_json: bool) -> None:
    """Look at this machine before it is trusted with a measurement; measures nothing."""
    sections = {
        "software": list(software()),
        "processor": list(processor()),
        "memory and disk": list(memory_and_disk()),
        "GPUs": list(gpus()),
        "what is measured how": list(methods()),
    }
    if as_json:
        click.echo(json.dumps({title: [asdict(f) for f in found] for title, found in sections.items()}, indent=2))
        return
    from bench.verbs._table import console as make_console
    from bench.verbs._table import table as make_table

    console = make_console()
    for title, findings in sections.items():
        table = make_table(title, "", "found", wrap=("found",))
        for finding in findings:
            table.add_row(finding.subject, finding.found + (f"\n→ {finding.advice}" if finding.advice else ""))
        console.print(table)
    advice = sum(bool(finding.advice) for findings in sections.values() for finding in findings)
    console.print(f"{advice} {'thing' if advice == 1 else 'things'} to mind" if advice else "nothing to mind")
    console.print("how small a difference this machine can see: python -m bench check")


def software() -> Iterator[Finding]:
    """Versions, and which estimators would be measured."""
    import torch

    import estimators
    from bench.key import METHOD_VERSION

    yield Finding("Python", f"{sys.version.split()[0]} at {sys.executable}")
    yield Finding("torch", f"{torch.__version__}, BLAS: {machine.fingerprint()['blas'] or 'unknown'}")
    commit = machine.commit()
    advice = ""
    if commit.endswith("+"):
        advice = "files differ from the commit: rows are marked so, and cannot be traced to it"
    elif not commit:
        advice = "no commit is known: rows will not say which version was measured"
    yield Finding("estimators", f"{len(estimators.names())} at {Path(estimators.__file__).parent}", "")
    yield Finding("commit", commit or "unknown", advice)
    yield Finding("method", f"version {METHOD_VERSION}")


def processor() -> Iterator[Finding]:
    """Cores, clocks, threads, and what else is running."""
    import psutil
    import torch

    facts = machine.fingerprint()
    yield Finding("processor", facts["cpu"])
    usable, physical = facts["cores_usable"], facts["cores_physical"]
    advice = "" if usable > 1 else "one core: the coordinator and the measured process share it"
    yield Finding("cores", f"{usable} usable of {facts['cores_logical']} logical, {physical} physical", advice)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = f"something else is running ({load:.1f} cores' worth): timings will be noisy" if load > 0.3 * usable else ""
    yield Finding("load", f"{load:.1f} over the last minute", busy)
    governor = facts["governor"]
    slow = governor in ("powersave", "ondemand", "conservative", "schedutil")
    advice = "clocks change with load; `cpupower frequency-set -g performance` holds them" if slow else ""
    yield Finding("clock governor", governor or "the system does not say", advice)
    if _virtual():
        steal = getattr(psutil.cpu_times_percent(0.2), "steal", 0.0)
        advice = f"neighbours took {steal:.0f} % of the last moment" if steal > 1 else ""
        yield Finding("virtual machine", "yes: the host's other guests may take time", advice)
    yield Finding("threads", f"torch would take {torch.get_num_threads()}; a point is pinned to those its sweep names")
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    yield Finding("OMP_WAIT_POLICY", policy or "unset here; workers get PASSIVE, so that idle ones do not spin")
    yield Finding("timer", f"perf_counter steps of {_timer_step_s() * 1e9:.0f} ns")


def memory_and_disk() -> Iterator[Finding]:
    """What a point may hold, and where rows go."""
    import psutil

    memory = psutil.virtual_memory()
    yield Finding("memory", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB of it free")
    limit = _cgroup_limit_bytes()
    if limit is not None and limit < memory.total:
        yield Finding("control group", f"this process may hold {limit / 2**30:.1f} GiB")
    swap = psutil.swap_memory()
    advice = "a point that swaps is timed wrong: mind --memory-limit" if swap.total else ""
    yield Finding("swap", f"{swap.total / 2**30:.1f} GiB" if swap.total else "none", advice)
    folder = next(parent for parent in DEFAULT_PATH.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    advice = "little room for the store and the cache" if free < 2**30 else ""
    yield Finding("disk", f"{free / 2**30:.0f} GiB free at {folder}", advice)
    journal = "rollback journal (network file system)" if on_network_file_system(DEFAULT_PATH) else "write-ahead log"
    held = eviction.entries(cache.directory())
    size, most = bytes_in_words(sum(entry.size_bytes for entry in held)), bytes_in_words(eviction.limit_bytes())
    allowed = f"at most {most}, or what {eviction.LIMIT_VARIABLE} says"
    yield Finding("cache", f"{size} in {len(held)} files at {cache.directory()}; {allowed}")
    yield Finding("store", f"SQLite {sqlite3.sqlite_version}, {journal}, synced row by row")


def gpus() -> Iterator[Finding]:
    """CUDA devices, their settings, and who else is on them."""
    import torch

    names = machine.gpus()
    if not names:
        yield Finding("CUDA", "no device: points on cuda cannot be measured here")
        return
    tf32 = torch.backends.cuda.matmul.allow_tf32
    advice = "float32 products are rounded to ten bits: finite differences lose their digits" if tf32 else ""
    yield Finding("TF32", "on for matrix products" if tf32 else "off for matrix products", advice)
    for index, name in enumerate(names):
        try:
            from bench.meters.device import Gpu

            gpu = Gpu(f"cuda:{index}")
            others, slowed = gpu.others(), gpu.throttled()
        except Exception as error:
            yield Finding(f"cuda:{index}", name, f"NVML does not answer ({error}): no energy, no process memory")
            continue
        advice = f"{others} other processes are on it" if others else "it is slowing itself down" if slowed else ""
        yield Finding(f"cuda:{index}", name, advice)


def methods() -> Iterator[Finding]:
    """How each kind of number comes about here."""
    has_gpu = bool(machine.gpus())
    yield Finding(
        "time", "synchronised blocks of calls in interleaved rounds beside an anchor; medians, 95 % intervals"
    )
    kept = "kept by the process while calls are timed" if heap.can_keep() else "handed back as the C library likes"
    yield Finding("freed memory", kept)
    yield Finding("memory", "peak of the allocator above the baseline: profiler events on a CPU, CUDA's own counter")
    yield Finding("predicted memory", "the same step on fake tensors, without arithmetic, in a process of its own")
    rss = "VmHWM of the process" if Path("/proc/self/status").exists() else "not available on this system"
    yield Finding("resident memory", rss)
    yield Finding("energy", "NVML's counter" if has_gpu else "not measured: no GPU")
    yield Finding("accuracy", "parameter gradients in the row's dtype against an exact float64 reference")
    linux = sys.platform == "linux"
    limits = "memory by RLIMIT_DATA and by sampling the process family, time by the coordinator; both kill the family"
    advice = "" if linux else "workers need Linux: prctl, /proc and process groups"
    yield Finding("containment", limits if linux else f"not on {sys.platform}", advice)


def _virtual() -> bool:
    try:
        return "hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _timer_step_s() -> float:
    """The smallest step that the clock was seen to take."""
    readings = [time.perf_counter() for _ in range(2000)]
    return min(later - earlier for earlier, later in pairwise(readings) if later > earlier)


def _cgroup_limit_bytes() -> int | None:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None
