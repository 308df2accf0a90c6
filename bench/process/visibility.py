"""One GPU a worker: which device a worker may see, and what it calls it."""

from __future__ import annotations

import os
from collections.abc import Mapping

VARIABLE = "CUDA_VISIBLE_DEVICES"


def environment(device: str, ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a worker's environment has to say so that it sees this device alone.

    Devices are counted among those that this process sees, as torch counts them: where the variable is set already (by
    a scheduler, by dask-cuda, to a MIG slice) the device is the entry of that number, an index or a UUID, and not the
    index of a card. Beyond the last there is none, and the worker says so.
    """
    index = int(device.partition(":")[2] or 0)
    if VARIABLE not in ours:
        return {VARIABLE: str(index)}
    entries = [entry.strip() for entry in ours[VARIABLE].split(",") if entry.strip()]
    if "-1" in entries:
        entries = entries[: entries.index("-1")]  # CUDA reads no further
    return {VARIABLE: entries[index] if index < len(entries) else "-1"}


def within(device: str) -> str:
    """What a worker calls the device that it was started for: the only one it sees."""
    return "cuda" if device.startswith("cuda") else device
