"""Step times learnt from measured rows: seconds for each FLOP, byte and operation, of every estimator on its own.

What a step does is known for any size, by tracing it without arithmetic. What rows teach is how long a machine takes
for it: three rates, fitted to an estimator's rows and drawn towards those of all estimators on that machine. Sizes,
widths, batches and models need not be the same, since the work already holds them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import machine
from bench.forecast.step_time import StepTime
from bench.meters.prediction import Prediction
from bench.point import Point
from bench.recommend.measurement import SETTING, Measurement, measurements
from bench.recommend.scaling import LEAST_SPREAD, own_rates, shared_rates
from bench.store.latest import latest

FEWEST_ROWS = 8
"""Of all estimators together, before anything is learnt."""

FEWEST_OWN = 3
"""Rows of an estimator that can be left out in turn."""

BEYOND_SPREAD = 0.1
"""By how much the spread grows for every factor of e outside of the rows' FLOPs. Chosen on three stores, where 82 to
97 % of the intervals of sizes left out then hold (`bench.figures.plan_accuracy`)."""

Place = tuple[str, str, str]  # dtype, device, threads
_DTYPE, _DEVICE, _THREADS, _MACHINE = (SETTING.index(name) for name in ("dtype", "device", "threads", "machine"))


@dataclass(frozen=True)
class _Speed:
    """Rates with what leaving rows out showed of them, and the FLOPs of the rows they rest on."""

    rates: np.ndarray
    spread: float
    flops: tuple[float, float]
    rows: int

    def beyond(self, flops: float) -> float:
        """How far outside the rows' work, in e-folds; 0 inside."""
        return max(0.0, math.log(self.flops[0] / flops), math.log(flops / self.flops[1]))


class Learned:
    """What rows of this machine teach about the times of points not measured yet."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Learn from the rows that ended ok, know their work, and were measured on a machine like this one."""
        places: dict[Place, list[Measurement]] = defaultdict(list)
        for m in measurements(latest(rows)):
            if m.outcome == "ok" and m.time > 0 and m.work and _is_here(m):
                places[m.setting[_DTYPE], m.setting[_DEVICE], m.setting[_THREADS]].append(m)
        self._all: dict[Place, _Speed] = {}
        self._own: dict[tuple[Any, ...], _Speed] = {}
        for place, found in places.items():
            if len(found) >= FEWEST_ROWS:
                self._learn(place, found)

    def _learn(self, place: Place, found: list[Measurement]) -> None:
        shared = np.array(shared_rates([m.work for m in found], [m.time for m in found]))
        work, times = _table(found)
        errors = np.log(shared @ work / times)
        self._all[place] = _Speed(shared, _spread(errors), (work[0].min(), work[0].max()), len(found))
        for names in (_by_options, _by_order):
            groups: dict[tuple[Any, ...], list[Measurement]] = defaultdict(list)
            for m in found:
                groups[names(place, m.estimator, m.order, m.options)].append(m)
            for name, own in groups.items():
                self._own[name] = _speed_of(own, self._all[place])

    def step_time(self, point: Point, work: Prediction) -> StepTime | None:
        """The time of a step that does so much; None where nothing like it was measured here."""
        place = (point.dtype, point.device, str(point.threads))
        if place not in self._all or work.flops <= 0:
            return None
        known = (names(place, point.estimator, point.order, point.options) for names in (_by_options, _by_order))
        name = next((name for name in known if name in self._own), None)
        speed = self._own[name] if name is not None else self._all[place]
        seconds = float(speed.rates @ (work.flops, work.moved_bytes, work.operations))
        basis = f"{speed.rows} rows of " + ("this estimator" if name is not None else "other estimators")
        return StepTime(seconds, speed.spread + BEYOND_SPREAD * speed.beyond(work.flops), basis)


def _by_options(place: Place, estimator: str, order: int, options: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*place, estimator, order, json.dumps(dict(options), sort_keys=True))


def _by_order(place: Place, estimator: str, order: int, _: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*place, estimator, order)


def _speed_of(rows: list[Measurement], shared: _Speed) -> _Speed:
    """An estimator's rates; every row is left out in turn to learn how far they are off."""
    work, times = _table(rows)
    rates, errors = own_rates(work, times, shared.rates), []
    for i in range(len(rows)) if len(rows) >= FEWEST_OWN else ():
        kept = np.arange(len(rows)) != i
        part = own_rates(work[:, kept], times[kept], shared.rates)
        errors.append(math.log(part @ work[:, i] / times[i]))
    spread = _spread(np.array(errors)) if errors else shared.spread
    return _Speed(rates, spread, (work[0].min(), work[0].max()), len(rows))


def _spread(errors: np.ndarray) -> float:
    return max(LEAST_SPREAD, float(np.sqrt(np.mean(np.square(errors)))))


def _table(rows: list[Measurement]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([m.work for m in rows]).T, np.array([m.time for m in rows])


def _is_here(m: Measurement) -> bool:
    """Whether a row's machine is of this one's class."""
    try:
        facts = json.loads(m.setting[_MACHINE])
        here = machine.hardware_class(m.setting[_DEVICE])
        gpus, index = facts.get("gpus") or [], int(m.setting[_DEVICE].partition(":")[2] or 0)
        gpu = f"{gpus[index]}; " if m.setting[_DEVICE].startswith("cuda") and index < len(gpus) else ""
        return here.startswith(f"{gpu}{facts['cpu']}, {facts['cores_logical']} cores, ")
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
