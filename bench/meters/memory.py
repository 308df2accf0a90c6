"""Peak memory of one call: bytes above what was held just before it.

On the CPU the profiler records every allocation and release of torch's allocator, so the running sum's maximum is exact
and repeats to the byte. On CUDA the allocator keeps its own peak. Resident memory (RSS) is what the kernel saw.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler import profile


def allocator_peak_bytes(call: Callable[[], Any], device: str) -> int:
    """The allocator's peak during ``call`` above its level before, in bytes."""
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        torch.cuda.synchronize(device)
        del result
        return torch.cuda.max_memory_allocated(device) - before
    collecting = gc.isenabled()
    gc.disable()  # a collection in the middle would release what an earlier pass left
    try:
        with profile(profile_memory=True) as profiler:
            result = call()
        del result
    finally:
        if collecting:
            gc.enable()
    held = peak = 0
    for event in profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def rss_peak_bytes(call: Callable[[], Any]) -> int | None:
    """The process's peak resident memory during ``call`` above its level before; None where the kernel keeps none."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = _status_bytes("VmRSS")
        call()
        return max(0, _status_bytes("VmHWM") - before)
    except OSError:
        return None


def _status_bytes(name: str) -> int:
    with contextlib.closing(open("/proc/self/status")) as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {name} in /proc/self/status")
