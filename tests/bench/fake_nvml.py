"""A stand-in for pynvml: cards and slices of them, whose readings a test sets, and a driver that may refuse any."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch


@dataclass(eq=False)
class Card:
    """A card, or with ``of`` a slice of one."""

    uuid: str
    of: Card | None = None
    processes: list[Any] = field(default_factory=list)
    reasons: int = 0
    energy_mj: int = 1000
    sm_mhz: int = 1700
    memory_mhz: int = 2600
    power_mw: int = 300_000


class FakeNvml:
    """What our code asks of pynvml. Calls named in ``refused`` raise as the driver does; a slice has no clocks."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2
    nvmlClocksThrottleReasonSwPowerCap = 0x04
    nvmlClocksThrottleReasonHwSlowdown = 0x08
    nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80

    def __init__(self, *cards: Card) -> None:
        self.cards, self.refused = cards, set()

    def install(self, monkeypatch: Any, *uuids: str) -> None:
        """Be the library, on a machine where torch sees devices of these UUIDs in this order."""
        monkeypatch.setitem(sys.modules, "pynvml", self)
        seen = [SimpleNamespace(uuid=uuid) for uuid in uuids]
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda which: seen[which.index or 0])
        monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)

    def _check(self, call: str, on: Card | None = None, whole: bool = False) -> None:
        if call in self.refused or (whole and on is not None and on.of is not None):
            raise self.NVMLError("Not Supported")

    def nvmlInit(self):
        self._check("nvmlInit")

    def nvmlDeviceGetHandleByUUID(self, uuid):
        for card in self.cards:
            if card.uuid == uuid:
                return card
        raise self.NVMLError("Not Found")

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):
        if handle.of is None:
            raise self.NVMLError("Invalid Argument")
        return handle.of

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        self._check("nvmlDeviceGetComputeRunningProcesses")
        return handle.processes

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        self._check("nvmlDeviceGetCurrentClocksThrottleReasons", handle, whole=True)
        return handle.reasons

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        self._check("nvmlDeviceGetTotalEnergyConsumption", handle, whole=True)
        return handle.energy_mj

    def nvmlDeviceGetClockInfo(self, handle, domain):
        self._check("nvmlDeviceGetClockInfo", handle, whole=True)
        return handle.sm_mhz if domain == self.NVML_CLOCK_SM else handle.memory_mhz

    def nvmlDeviceGetMaxClockInfo(self, handle, domain):
        self._check("nvmlDeviceGetMaxClockInfo", handle, whole=True)
        return 1980 if domain == self.NVML_CLOCK_SM else 2619

    def nvmlDeviceGetPowerUsage(self, handle):
        self._check("nvmlDeviceGetPowerUsage", handle, whole=True)
        return handle.power_mw

    def nvmlDeviceGetEnforcedPowerLimit(self, handle):
        self._check("nvmlDeviceGetEnforcedPowerLimit", handle, whole=True)
        return 700_000


def process(pid: int, used: int | None = None) -> SimpleNamespace:
    """A process as NVML lists it."""
    return SimpleNamespace(pid=pid, usedGpuMemory=used)
