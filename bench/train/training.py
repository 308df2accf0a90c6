"""A training run to be made: a point, its optimiser, its budget, and what is looked at on the way. Plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bench import cache
from bench.point import Point, asdict_plain

TRAINING_VERSION = "1"
"""Version of the way of training: raised by hand when the loop or the evaluation changes what a curve means."""


@dataclass(frozen=True)
class Training:
    """One run. Exactly one of ``steps`` and ``seconds`` is its budget.

    Attributes:
        point: the estimator, its options and the problem, whose ``stage`` is where training begins.
        optimiser: a name in ``torch.optim``.
        optimiser_options: what it is given besides the parameters.
        steps: how many steps it may make.
        seconds: how long it may train, evaluations left out.
        rows: rows of the training set.
        held_out: rows of the held-out set.
        marks: evaluations after the one before the first step, evenly spaced in the budget.
        score_points: points at which the score is held against the true one, where that is known.
    """

    point: Point
    optimiser: str = "Adam"
    optimiser_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"lr": 1e-3}))
    steps: int | None = None
    seconds: float | None = None
    rows: int = 768
    held_out: int = 256
    marks: int = 20
    score_points: int = 1000

    @property
    def label(self) -> str:
        """A short name for progress bars and messages."""
        return f"{self.point.label} {self.optimiser} seed={self.point.problem.seed}"

    @property
    def contest(self) -> str:
        """Hash of what runs share that are held against each other: all but the estimator and its draws."""
        return cache.digest(self._shared())

    @property
    def problem(self) -> str:
        """The same without the seed: its runs make one curve with its band."""
        shared = self._shared()
        return cache.digest({**shared, "problem": {**shared["problem"], "seed": None}})

    def key(self, point_key: str) -> str:
        """The run's key, from that of its point, which covers the estimator's source, the problem and the machine."""
        own = {name: value for name, value in self._shared().items() if name not in ("problem", "dtype", "device")}
        return cache.digest({"point": point_key, **own, "version": TRAINING_VERSION})

    def identity(self) -> dict[str, Any]:
        """What the run's row says of it before it begins."""
        return {
            **self.point.identity(),
            "contest": self.contest,
            "problem": self.problem,
            "optimiser": self.optimiser,
            "optimiser_options": dict(self.optimiser_options),
            "budget_steps": self.steps,
            "budget_s": self.seconds,
            "rows": self.rows,
            "held_out": self.held_out,
            "marks": self.marks,
            "score_points": self.score_points,
        }

    def to_json(self) -> str:
        """One canonical line."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {"point": asdict_plain(self.point), "optimiser_options": dict(self.optimiser_options)}
        return json.dumps({**values, **plain}, sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Training:
        """The run that `to_json` wrote."""
        values = json.loads(line)
        point = Point.from_json(json.dumps(values.pop("point")))
        return replace(cls(point), **values)

    def _shared(self) -> dict[str, Any]:
        point = asdict_plain(self.point)
        own = json.loads(self.to_json())
        del own["point"]
        return {**{name: point[name] for name in ("problem", "dtype", "device", "threads")}, **own}
