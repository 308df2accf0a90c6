"""What NVML knows of a GPU: energy, memory, clocks, power, why it slows itself down, and who else is there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch

ENERGY_S = 0.5
SLOWED = {  # why a device runs below the clock that was asked for; idleness and set clocks are no such reasons
    "SwPowerCap": "power",
    "HwSlowdown": "hardware slowdown",
    "SwThermalSlowdown": "heat",
    "HwThermalSlowdown": "heat",
    "HwPowerBrakeSlowdown": "power brake",
}


class Gpu:
    """One CUDA device through NVML.

    Args:
        device: ``cuda`` or ``cuda:N``, counted as torch counts them here.

    Attributes:
        handle: NVML's handle of what torch computes on: a card, or a slice of one (MIG).
        card: of the whole card, which alone has clocks, power and a counter of energy.

    Raises:
        ImportError: pynvml is not installed.
        pynvml.NVMLError: the driver has no NVML, or does not know the device.
    """

    def __init__(self, device: str) -> None:
        import pynvml

        self.nvml = pynvml
        pynvml.nvmlInit()
        self.handle = self._handle(str(torch.cuda.get_device_properties(torch.device(device)).uuid))
        self.card = self._card()

    def _handle(self, uuid: str) -> Any:
        """By its UUID, since NVML counts devices in another order; torch gives it without the kind of device."""
        if uuid.startswith(("GPU-", "MIG-")):
            return self.nvml.nvmlDeviceGetHandleByUUID(uuid)
        try:
            return self.nvml.nvmlDeviceGetHandleByUUID("GPU-" + uuid)
        except self.nvml.NVMLError:
            return self.nvml.nvmlDeviceGetHandleByUUID("MIG-" + uuid)

    def _card(self) -> Any:
        try:
            return self.nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self.handle)
        except self.nvml.NVMLError:  # it is no slice
            return self.handle

    @property
    def is_slice(self) -> bool:
        """Whether it is a part of a card that others may compute on."""
        return self.card is not self.handle

    def processes(self) -> list[Any]:
        """What computes on the device, as NVML lists it: each with a ``pid`` and, where the driver says, its memory."""
        return list(self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle))

    def process_bytes(self) -> int | None:
        """Device memory of this process; None where the driver does not say."""
        for process in self.processes():
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory)
        return None

    def others(self) -> int:
        """How many other processes compute on the device: all that are listed but one, which is this.

        In a container the driver lists us under a number that we do not know, so ours cannot be looked for.
        """
        return max(0, len(self.processes()) - 1)

    def slowed_by(self) -> list[str]:
        """Why the device slows itself down now, sorted; empty where it does not."""
        bits = self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self.card)
        flags = {getattr(self.nvml, f"nvmlClocksThrottleReason{name}"): why for name, why in SLOWED.items()}
        return sorted({why for flag, why in flags.items() if bits & flag})

    def throttled(self) -> bool:
        """Whether the device slows itself down now, for heat or power."""
        return bool(self.slowed_by())

    def clock_mhz(self, domain: str) -> int:
        """The clock of ``SM`` or ``MEM`` now, MHz."""
        return int(self.nvml.nvmlDeviceGetClockInfo(self.card, getattr(self.nvml, f"NVML_CLOCK_{domain}")))

    def most_mhz(self, domain: str) -> int:
        """The highest clock of ``SM`` or ``MEM`` that the card has, MHz."""
        return int(self.nvml.nvmlDeviceGetMaxClockInfo(self.card, getattr(self.nvml, f"NVML_CLOCK_{domain}")))

    def power_w(self) -> float:
        """The power that the card draws now, watts."""
        return float(self.nvml.nvmlDeviceGetPowerUsage(self.card) / 1000)

    def power_limit_w(self) -> float:
        """The power that the card may draw, watts."""
        return float(self.nvml.nvmlDeviceGetEnforcedPowerLimit(self.card) / 1000)

    def energy_j(self, call: Callable[[], Any], at_least_s: float = ENERGY_S) -> float:
        """Joules of one call: the counter's difference over as many as fill ``at_least_s``.

        The counter is in millijoules and renewed only some tens of times a second, so a single call would read nothing.

        Raises:
            RuntimeError: the device is a slice; the counter is of the whole card, and of all that compute on it.
        """
        if self.is_slice:
            raise RuntimeError("a slice of a card (MIG) has no counter of its own energy")
        torch.cuda.synchronize()
        before, started, calls = self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.card), time.perf_counter(), 0
        while time.perf_counter() - started < at_least_s:
            call()
            torch.cuda.synchronize()
            calls += 1
        return (self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.card) - before) / 1000 / calls
