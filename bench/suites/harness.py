"""The harness's own speed: what a point costs beside its measurement, and what keeping a row costs."""

from __future__ import annotations

import tempfile
from pathlib import Path


class Harness:
    """Followed over commits of the working tree's `bench`, so only the newest commit's numbers mean anything."""

    version = "1"
    timeout = 300

    def track_store_insert(self) -> float:
        """Seconds to keep one row, durably: the median of 50."""
        import statistics
        import time

        from bench.store import Store

        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
            seconds = []
            for key in range(50):
                started = time.perf_counter()
                store.put({"key": str(key), "outcome": "ok", "estimator": "none", "time_samples": [0.001] * 15})
                seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)

    track_store_insert.unit = "seconds"  # type: ignore[attr-defined]

    def track_worker_start(self) -> float:
        """Seconds from asking for a worker to having one with torch in it: the median of 10, the server warm."""
        import statistics
        import time

        from bench.measure import Bench, Limits

        with Bench(Limits.of_this_machine()) as bench:
            bench.worker("cpu").close()
            seconds = []
            for _ in range(10):
                started = time.perf_counter()
                worker = bench.worker("cpu")
                seconds.append(time.perf_counter() - started)
                worker.close()
        return statistics.median(seconds)

    track_worker_start.unit = "seconds"  # type: ignore[attr-defined]
