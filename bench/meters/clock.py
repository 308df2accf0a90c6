"""Wall-clock of repeated calls: synchronised, in blocks, with garbage collection held off."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

SHORTEST_SAMPLE_S = 200e-6  # a thousand times the clock's own cost
WARM_UP_AGREEMENT = 0.05
COLD_MATTERS_BELOW_S = 0.05  # what a cold cache costs, a millisecond at most, is lost in longer calls


class Clock:
    """Times one call, again and again.

    Attributes:
        calls_per_sample: how many calls one sample averages over; more than one only for calls of microseconds.
        spent_s: seconds spent in calls that were timed, since the start.
        device_s: on CUDA, the samples of the last block by events on the device, seconds a call.
    """

    def __init__(self, call: Callable[[], Any], device: str) -> None:
        self.call = call
        self.cuda = torch.device(device).type == "cuda"
        self.calls_per_sample = 1
        self.device_s: list[float] = []
        self.spent_s = 0.0

    def one_call_s(self) -> float:
        """Seconds of a single call, the device synchronised before and after."""
        return self._sample(1)

    def warm_up(self, budget_s: float) -> float:
        """Call until three samples in a row agree within 5 %, or the budget is spent; returns seconds a call.

        Afterwards a sample holds as many calls as the clock's resolution asks for.
        """
        started = time.perf_counter()
        self._sample(1)
        recent = [self._sample(1)]
        while time.perf_counter() - started < budget_s:
            recent = [*recent[-2:], self._sample(1)]
            if len(recent) == 3 and max(recent) <= (1 + WARM_UP_AGREEMENT) * min(recent):
                break
        typical_s = statistics.median(recent)
        self.calls_per_sample = max(1, round(SHORTEST_SAMPLE_S / max(typical_s, 1e-9)))
        return typical_s

    def block(self, length_s: float) -> list[float]:
        """Samples, in seconds a call, filling about ``length_s``; at least one.

        The first call of a block finds its data evicted by whoever ran before: below 50 ms it is made and not counted.
        """
        collecting = gc.isenabled()
        self.device_s.clear()
        gc.collect(0)
        gc.disable()
        try:
            started = time.perf_counter()
            first = self._sample(1)
            if first > COLD_MATTERS_BELOW_S:
                return [first]
            samples = [self._sample(self.calls_per_sample)]
            while time.perf_counter() - started < length_s:
                samples.append(self._sample(self.calls_per_sample))
            return samples
        finally:
            if collecting:
                gc.enable()

    def _sample(self, calls: int) -> float:
        if self.cuda:
            return self._sample_on_device(calls)
        started = time.perf_counter()
        for _ in range(calls):
            self.call()
        elapsed_s = time.perf_counter() - started
        self.spent_s += elapsed_s
        return elapsed_s / calls

    def _sample_on_device(self, calls: int) -> float:
        """Synchronised host time; and beside it, in `device_s`, the time between two events on the device."""
        before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        started = time.perf_counter()
        before.record()
        for _ in range(calls):
            self.call()
        after.record()
        torch.cuda.synchronize()
        elapsed_s = time.perf_counter() - started
        self.spent_s += elapsed_s
        self.device_s.append(before.elapsed_time(after) / 1000 / calls)
        return elapsed_s / calls
