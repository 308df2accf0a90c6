"""Training runs one after the other, each in a process of its own; every evaluation is in the store before the next."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import key, machine, problems
from bench.measure import Bench
from bench.process import visibility
from bench.process.workers import Ended
from bench.store import Store
from bench.timing import Failed
from bench.train import rows
from bench.train.training import TRAINING_VERSION, Training

INTERRUPTED = ("crashed", "error", "out_of_memory", "timeout")
"""Outcomes after which a run that is tried again goes on from its last state, which they have not touched."""
SAMPLE_S = 0.5  # between looks at a run's memory, which take time from it on a small machine


@dataclass
class Plan:
    """What the store lacks of a sweep: key → run; and how many runs it has."""

    todo: dict[str, Training] = field(default_factory=dict)
    present: int = 0
    keys: list[str] = field(default_factory=list)


def key_of(training: Training) -> str:
    """The key of a run's row, here and now."""
    point = training.point
    source = key.estimator_source(point.estimator)
    return training.key(key.key(point, source, machine.hardware_class(point.device)))


def plan(trainings: Sequence[Training], store: Store, retry: Sequence[str] = ()) -> Plan:
    """Which runs are to be made: those that have not ended, and those that ended in an outcome to be tried again.

    Of the latter, one that was interrupted goes on from its last evaluation. One that ended by itself is made anew, and
    the old one set aside.
    """
    found = Plan()
    for training in trainings:
        name = key_of(training)
        run = store.training_run(name)
        found.keys.append(name)
        if run is not None and run["finished"] and run["outcome"] not in retry:
            found.present += 1
            continue
        goes_on = run is not None and run["outcome"] in INTERRUPTED and store.training_state(name) is not None
        if run is not None and run["finished"] and not goes_on:
            store.set_training_aside(name)
        found.todo[name] = training
    return found


def run(
    plan: Plan,
    store: Store,
    bench: Bench,
    title: str,
    on_mark: Callable[[Training, int], None] = lambda training, place: None,
) -> Counter[str]:
    """Make the runs of a plan, one at a time, so that none takes another's seconds.

    Returns:
        How many ended in each outcome.
    """
    outcomes: Counter[str] = Counter()
    for name, training in plan.todo.items():
        outcomes[_one(name, training, store, bench, title, on_mark)] += 1
    return outcomes


def _one(
    name: str,
    training: Training,
    store: Store,
    bench: Bench,
    title: str,
    on_mark: Callable[[Training, int], None],
) -> str:
    started = time.monotonic()
    there = store.training_run(name)
    row: dict[str, Any] = {**bench.identity(training.point), **training.identity(), "key": name, "title": title}
    row["method_version"] = f"{key.METHOD_VERSION}, training {TRAINING_VERSION}"
    spent_s = 0.0
    if there is not None:  # begun before: it keeps when it began and what its steps cost
        measured = ("parameters", "peak_step_bytes", "flops_step", "flops_evaluation", "steps", "train_s")
        row |= {column: there[column] for column in (*measured, "started_at", "extra")}
        if there["finished"]:
            before = (there["extra"] or {}).get("interruptions", [])
            row["extra"] = {"interruptions": [*before, f"{there['outcome']}: {there['reason']}"]}
        spent_s = there["duration_s"] or 0.0
    state = store.training_state(name)

    def took(part: dict[str, Any]) -> None:
        if "facts" in part:
            row.update(part["facts"])
            return
        point = part["point"]
        row.update(steps=point["steps"], train_s=point["train_s"], duration_s=spent_s + time.monotonic() - started)
        path = Path(part["state"])
        store.put_training(row, point, path.read_bytes())
        path.unlink()
        on_mark(training, point["place"])

    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        request: dict[str, Any] = {
            "do": "train",
            "training": _within(training).to_json(),
            "folder": folder,
            "state": None,
            "flops_known": {},
        }
        request |= {"plugins": bench.plugins, "problems": bench.problem_files}
        if there is not None and state is not None:
            kept = Path(folder) / "kept.npz"
            kept.write_bytes(state[1])
            known = {column: there[column] for column in ("flops_step", "flops_evaluation")}
            request |= {"state": str(kept), "flops_known": known}
        try:
            problems.prepare(training.point.problem)
            rows.prepare(training)
        except (ValueError, OSError) as error:
            ending = {"outcome": "error", "reason": f"the data cannot be prepared: {error}"}
        else:
            worker = bench.worker(training.point.device)
            try:
                ending = worker.ask(request, bench.limits.timeout_s, took, SAMPLE_S)
            except (Failed, Ended) as ended:
                ending = {"outcome": ended.outcome, "reason": ended.reason}
            finally:
                row["output"] = worker.close()
    row |= {"outcome": ending["outcome"], "reason": ending["reason"], "finished": True}
    row["duration_s"] = spent_s + time.monotonic() - started
    if row["outcome"] == "ok" and (reason := _diverged(store, name, str(row["target"] or "sm"))):
        row["reason"] = reason
    store.put_training(row)
    return str(row["outcome"])


def _within(training: Training) -> Training:
    """The run as its worker sees it, which has one GPU."""
    return replace(training, point=replace(training.point, device=visibility.within(training.point.device)))


def _diverged(store: Store, name: str, target: str = "sm") -> str:
    """Says so where the objective ended above where it began, by more than three standard errors of its mean.

    An estimator with a target of its own may have come down to that, where it lies above: the reason names the target.
    One that first fell may have learnt its rows by heart, since the objective is of held-out ones: the lowest is named.
    """
    seen = list(store.training_points(name))
    first, last = seen[0]["objective"], seen[-1]["objective"]
    error = 3 * (seen[0]["objective_error"] or 0.0)
    if last - first > error:
        lowest = min(seen, key=lambda point: point["objective"])
        fell = first - lowest["objective"] > error
        before = f", after {lowest['objective']:.4g} at step {lowest['steps']}" if fell else ""
        own = "" if target == "sm" else f"; what it trains for is another objective, {target}"
        return f"diverged: the exact objective rose from {first:.4g} to {last:.4g}{before}{own}"
    return ""
