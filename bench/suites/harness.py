"""The harness's own speed: what a point costs beside its measurement, what keeping a row costs, what a report costs.

All of it is the working tree's, whatever commit is installed, so only the newest commit's numbers mean anything.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

POINTS = 9


class Harness:
    """Rows, workers and points."""

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

    def track_point_overhead(self) -> float:
        """Seconds a point beyond its own draws and timed blocks: isolated, with time, memory and accuracy."""
        import time

        import estimators
        from bench import problems, runner
        from bench.measure import Bench, Limits
        from bench.point import Point, ProblemSpec
        from bench.store import Store

        spec, ssm = ProblemSpec(dim=16, depth=1, width=16, batch=16), estimators.get("ssm")
        problems.prepare(spec)
        points = [
            Point("ssm", ssm.quantity, spec, 2, dict(ssm.options), draws=16 * (1 + k), target=ssm.target)
            for k in range(POINTS)
        ]
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
            with Bench(Limits.of_this_machine(), predict=False) as bench:
                bench.reference(spec, ssm.quantity, 2, ssm.target, threads=1)
                bench.rates(points[0])
                started = time.perf_counter()
                runner.run(runner.plan(points, (), store), store, bench)
                wall_s = time.perf_counter() - started
            kernel_s = sum(row["extra"]["kernel_s"] for row in store.rows(finished_only=True))
        return (wall_s - kernel_s) / POINTS

    track_point_overhead.unit = "seconds"  # type: ignore[attr-defined]


class Report:
    """The report, where the environment has what it is drawn with; n/a elsewhere."""

    version = "1"
    timeout = 300

    def setup(self) -> None:
        """Whether it can be drawn."""
        for name in ("altair", "asv", "jinja2", "matplotlib", "pandas", "vl_convert"):
            if importlib.util.find_spec(name) is None:
                raise NotImplementedError(f"{name} is not installed here")

    def track_build(self) -> float:
        """Seconds to build the pages of a store of a few points."""
        import time

        from bench import runner
        from bench.measure import Bench, Limits
        from bench.store import Store
        from reports.pages.build import build

        from . import measurement

        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
            with Bench(Limits.of_this_machine(), predict=False) as bench:
                runner.run(runner.plan(measurement.points()[:4], (), store), store, bench)
            started = time.perf_counter()
            build(store.frame(), Path(folder) / "html", str(store.path), store.runs())
            return time.perf_counter() - started

    track_build.unit = "seconds"  # type: ignore[attr-defined]
