"""What NVML knows of a GPU: energy, the process's memory, clocks, throttling, and who else is there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch

ENERGY_S = 0.5


class Gpu:
    """One CUDA device through NVML."""

    def __init__(self, device: str) -> None:
        import pynvml

        self.nvml = pynvml
        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(torch.device(device)).uuid)
        self.handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else "GPU-" + uuid)

    def process_bytes(self) -> int | None:
        """Device memory of this process; None where the driver does not say."""
        for process in self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory)
        return None

    def others(self) -> int:
        """How many other processes compute on the device: all that are listed but one, which is this.

        In a container the driver lists us under a number that we do not know, so ours cannot be looked for.
        """
        listed = self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
        return max(0, len(listed) - 1)

    def throttled(self) -> bool:
        """Whether the device slows itself down now, for heat or power."""
        nvml = self.nvml
        reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self.handle)
        bad = (
            nvml.nvmlClocksThrottleReasonSwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwSlowdown
            | nvml.nvmlClocksThrottleReasonSwPowerCap
        )
        return bool(reasons & bad)

    def energy_j(self, call: Callable[[], Any], at_least_s: float = ENERGY_S) -> float:
        """Joules of one call: the counter's difference over as many as fill ``at_least_s``.

        The counter is in millijoules and renewed only some tens of times a second, so a single call would read nothing.
        """
        torch.cuda.synchronize()
        before, started, calls = self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle), time.perf_counter(), 0
        while time.perf_counter() - started < at_least_s:
            call()
            torch.cuda.synchronize()
            calls += 1
        return (self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) - before) / 1000 / calls
