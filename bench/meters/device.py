"""What NVML knows of a GPU: energy, the process's memory, clocks, throttling, and who else is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch


class Gpu:
    """One CUDA device through NVML."""

    def __init__(self, device: str) -> None:
        import pynvml

        self.nvml = pynvml
        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(torch.device(device)).uuid)
        self.handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else "GPU-" + uuid)

    def process_bytes(self) -> int | None:
        """Device memory of this process."""
        for process in self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle):
            if process.pid == os.getpid():
                return int(process.usedGpuMemory)
        return None

    def others(self) -> list[int]:
        """Process numbers of everybody else on the device."""
        return [p.pid for p in self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle) if p.pid != os.getpid()]

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

    def energy_j(self, call: Callable[[], Any], calls: int) -> float:
        """Joules of one call: the counter's difference over ``calls`` of them. The counter steps in millijoules."""
        torch.cuda.synchronize()
        before = self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return (self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) - before) / 1000 / calls
