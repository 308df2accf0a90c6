"""One commit's measurement: a sweep through our own workers into a store of its own, and its rows read back."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine
from bench.store import Store

from . import ROOT, axes

if TYPE_CHECKING:
    from bench.point import Point

FOLDER = ".asv/stores"
NOT_COMPARABLE = ("unsupported", "skipped")  # shown as n/a; every other outcome but ok is shown as failed


def store_path() -> Path:
    """The store of the commit and environment that asv has installed.

    One for each commit, since rows of unchanged source would otherwise be taken from an earlier commit's measurement.
    Estimators that are no commit's (edited files in an existing environment) are measured anew each time.
    """
    commit = os.environ.get("ASV_COMMIT") or machine.commit()
    if not commit or commit.endswith("+"):
        commit = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    environment = hashlib.sha256(os.environ.get("ASV_ENV_NAME", "").encode()).hexdigest()[:8]
    folder = Path(os.environ.get("ASV_CONF_DIR") or ROOT) / FOLDER
    return folder / f"{commit[:12]}-{environment}.sqlite"


def points() -> list[Point]:
    """The preset's points, of those estimators that the installed commit has and that do the order."""
    import estimators
    from bench.point import Point, ProblemSpec

    found = []
    installed = set(estimators.names())
    wanted = axes.only()
    for quantity, grid in axes.PRESETS[axes.PRESET].items():
        names, dims, depths, orders = axes.parameters(quantity)
        for dim, depth, order, name in itertools.product(dims, depths, orders, names):
            if name not in installed or (wanted and name not in wanted):
                continue
            estimator = estimators.get(str(name))
            if estimator.quantity != quantity or not estimator.supports(int(order)):
                continue
            model = axes.MODELS.get(estimator.needs, axes.MODEL)
            if model != axes.MODEL and (dim, depth) != (min(dims), min(depths)):
                continue
            spec = ProblemSpec(model, dim=int(dim), depth=int(depth), width=grid.width, batch=grid.batch)
            found.append(
                Point(
                    estimator=str(name),
                    quantity=quantity,
                    problem=spec,
                    order=int(order),
                    options=dict(estimator.options),
                    draws=grid.draws if estimator.stochastic else 1,
                    target=estimator.target,
                )
            )
    return found


def measure() -> Path:
    """Measure what the commit's store still lacks, and return the store's path."""
    from bench import runner
    from bench.measure import Bench, Limits

    path = store_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with Store(path) as store:
        plan = runner.plan(points(), (), store)
        found = f"{len(plan)} points to measure, {plan.present} are in {path.name}"
        print(f"estimators of {machine.commit()[:13] or 'no known commit'}: {found}", file=sys.stderr)
        if len(plan):
            store.begin_run(f"asv, preset {axes.PRESET}", "asv run", commit=machine.commit())
            with Bench(Limits.of_this_machine()) as bench:
                runner.run(plan, store, bench, jobs=runner.default_jobs())
        failed = [row for row in store.rows(finished_only=True) if row["outcome"] not in ("ok", *NOT_COMPARABLE)]
        for row in failed:
            where = f"{row['estimator']} D={row['dim']} depth={row['depth']} order={row['order']}"
            print(f"{row['outcome']}: {where}: {' '.join(str(row['reason']).split())[:200]}", file=sys.stderr)
    return path


def row(path: str, quantity: str, estimator: str, dim: int, depth: int, order: int) -> dict[str, Any] | None:
    """The newest finished row at these parameters, or None: the commit lacks the estimator, or it does not do that.

    A store holds more than one where the method, torch, the problems or a preset's draws changed since.
    """
    grid = axes.PRESETS[axes.PRESET][quantity]
    at: dict[str, str | int] = {"quantity": quantity, "estimator": estimator, "width": grid.width, "batch": grid.batch}
    at |= {"dim": dim, "depth": depth, "order": order}
    with Store(path, must_exist=True) as store:
        found = store.matching(at)
    return max(reversed(found), key=lambda r: r["started_at"] or "", default=None)  # of equal ones, the last written
