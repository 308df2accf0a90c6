"""A GPU while points are timed on it, looked at between the rounds: its clocks, its power, who else computes there."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.meters.device import Gpu


class DeviceWatch:
    """Looks at one device whenever it is told to; what the driver cannot say is left out, with the reason.

    Args:
        device: ``cuda`` or ``cuda:N``.
        ours: says how many processes of ours compute on it now.
    """

    def __init__(self, device: str, ours: Callable[[], int]) -> None:
        self.missing: dict[str, str] = {}
        self._seen: dict[str, list[Any]] = defaultdict(list)
        self._readings: dict[str, Callable[[Gpu], Any]] = {
            "sm_mhz": lambda gpu: gpu.clock_mhz("SM"),
            "memory_mhz": lambda gpu: gpu.clock_mhz("MEM"),
            "power_w": lambda gpu: gpu.power_w(),
            "slowed_by": lambda gpu: gpu.slowed_by(),
            "others": lambda gpu: _strangers(gpu, ours()),
        }
        self._once: dict[str, Callable[[Gpu], Any]] = {
            "sm_max_mhz": lambda gpu: gpu.most_mhz("SM"),
            "memory_max_mhz": lambda gpu: gpu.most_mhz("MEM"),
            "power_limit_w": lambda gpu: gpu.power_limit_w(),
        }
        self._gpu: Gpu | None = None
        try:
            self._gpu = Gpu(device)
        except Exception as error:  # without NVML, points are timed all the same
            self.missing["nvml"] = f"{type(error).__name__}: {error}"

    def look(self, *_: int) -> None:
        """Read everything once: a millisecond, in which nobody is timed."""
        for name, reading in self._readings.items():
            self._read(name, reading)

    def _read(self, name: str, reading: Callable[[Gpu], Any]) -> None:
        if self._gpu is None or name in self.missing:
            return
        try:
            self._seen[name].append(reading(self._gpu))
        except Exception as error:  # a driver that cannot say one thing must not cost the rest
            self.missing[name] = f"{type(error).__name__}: {error}"

    @property
    def slowed_by(self) -> list[str]:
        """Every reason for which the device slowed itself down in any look, sorted."""
        return sorted({why for whys in self._seen["slowed_by"] for why in whys})

    @property
    def others(self) -> int:
        """The most other processes that computed on the device in any look."""
        return max(self._seen["others"], default=0)

    def facts(self) -> dict[str, Any]:
        """What was seen: of clocks and power the least, the median and the most."""
        for name, reading in self._once.items():
            if name not in self._seen:
                self._read(name, reading)
        ranges = {
            name: [min(values), statistics.median(values), max(values)]
            for name in ("sm_mhz", "memory_mhz", "power_w")
            if (values := self._seen.get(name))
        }
        single = {name: values[0] for name in self._once if (values := self._seen.get(name))}
        facts: dict[str, Any] = {**ranges, **single, "slowed_by": self.slowed_by, "others": self.others}
        return facts | ({"missing": dict(self.missing)} if self.missing else {})


def _strangers(gpu: Gpu, ours: int) -> int:
    """How many processes compute on the device beside so many of ours and this one, which only looks.

    In a container the driver may list ours under numbers that we do not know, so they are counted, not looked for.
    """
    listed = [process for process in gpu.processes() if process.pid != os.getpid()]
    if len(listed) < ours:
        raise RuntimeError(f"the driver lists {len(listed)} processes where {ours} are ours")
    return len(listed) - ours
