"""How a run on a cluster measures: what its workers are told before the first unit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.cluster import parcel


@dataclass(frozen=True)
class Settings:
    """How a run measures, on every machine alike; ``jobs`` and ``memory_bytes`` are the Dask worker's own if None."""

    timeout_s: float
    memory_bytes: int | None = None
    jobs: int | None = None
    predict: bool = True
    timed: bool = True
    plugins: Sequence[str] = ()
    problems: Sequence[str] = ()

    def message(self, session: str, devices: Iterable[str]) -> str:
        """What workers are told; plugin files are in it."""
        return json.dumps(
            {
                **{name: getattr(self, name) for name in ("timeout_s", "memory_bytes", "jobs", "predict", "timed")},
                "session": session,
                "devices": sorted(devices),
                "plugins": [parcel.pack(path) for path in self.plugins],
                "problems": [parcel.pack(path) for path in self.problems],
            }
        )
