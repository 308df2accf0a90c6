"""What a unit costs on a machine of the cluster, and whether there is time for it, learnt as the run goes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.cluster.flights import Flight
from bench.forecast import nominal
from bench.forecast.budget import Budget
from bench.point import Point


@dataclass
class Pace:
    """A budget, and the exact references that each machine has kept: those are not computed again."""

    budget: Budget
    kept: set[tuple[Any, ...]] = field(default_factory=set)

    def nominal_s(self, machine: str, points: Mapping[str, Point], done: Iterable[str]) -> float:
        """Nominal seconds of what points by their keys still lack on a machine; those ``done`` are only timed."""
        done = set(done)
        alone = [point for name, point in points.items() if name not in done]
        unknown = [point for point in alone if _reference(machine, point) not in self.kept]
        return nominal.group_s(alone, unknown) + nominal.window_s(points[name] for name in done)

    def message(self) -> dict[str, float | None]:
        """What a worker has to know of the time there is; ``left_s`` is None if there is no end to it."""
        left_s = self.budget.left_s
        return {"left_s": left_s if math.isfinite(left_s) else None, "factor": self.budget.factor}

    def landed(self, flight: Flight, machine: str, said: Mapping[str, Any]) -> None:
        """A unit is done: its references are kept on its machine, and what it took says how long others will.

        A worker that minds a budget says itself how much it did in how long; it may have left some out.
        """
        self.kept.update(_reference(machine, point) for point in flight.sent)
        took_s = time.monotonic() - flight.started
        self.budget.learn(said.get("nominal_s", flight.nominal_s), said.get("took_s", took_s))


def _reference(machine: str, point: Point) -> tuple[Any, ...]:
    return machine, point.problem, point.quantity, point.order, point.target
