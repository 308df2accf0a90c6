"""The solo pass: everything about one point but its time, in a process of its own; the row says how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.columns import NAMES
from bench.measure import Bench, Row
from bench.point import Point
from bench.process.workers import Ended, Worker, dismiss
from bench.timing import Failed

PREDICTION_TOLERANCE = 0.1
KEPT_BELOW_BYTES = 2**27


@dataclass(frozen=True)
class Opened:
    """A worker with a point open, stopped until it is asked to measure it; or how that failed.

    Attributes:
        worker: the process.
        failure: why it has no point open, if it has none.
        spent_s: what starting it and opening the point took.
    """

    worker: Worker
    failure: Failed | Ended | None
    spent_s: float


@dataclass(frozen=True)
class Alone:
    """What the solo pass found of a point.

    Attributes:
        point: the point.
        row: everything but its time, or how it ended.
        worker: the process that measured it, stopped until it is timed; None if it has ended.
        light: whether it measured well, on the CPU, and held little memory: others of its problem will need no more.
    """

    point: Point
    row: Row
    worker: Worker | None = None
    light: bool = False


def opened(bench: Bench, point: Point, against: dict[str, str] | None = None) -> Opened:
    """A fresh worker with a point open, waiting: what can be done while another point is still being measured.

    With a `yardstick` it has loaded that too; else it does so after the memory of the point is measured.
    """
    started = time.monotonic()
    worker, failure = bench.worker(point.device), None
    try:
        bench.open(worker, point, against)
        worker.pause()
    except (Failed, Ended) as why:
        failure = why
    return Opened(worker, failure, time.monotonic() - started)


def solo(
    bench: Bench,
    point: Point,
    reference_problem: str = "",
    keep: bool = False,
    no_noised_reference: str = "",
    beforehand: Opened | None = None,
) -> Alone:
    """Measure everything about a point but its time, within limits.

    Args:
        bench: the machinery.
        point: what to measure.
        reference_problem: why there is no reference to compare with, if there is none.
        keep: let a worker that measured well stay, stopped, so that the point can be timed in it. One on a GPU, one
            that holds much memory, or one with children, which may be out of reach, ends all the same.
        no_noised_reference: why a denoising objective is not held against one at noised rows too, if it is not.
        beforehand: the point, already `opened`.
    """
    ready = beforehand or opened(bench, point)
    worker, started = ready.worker, time.monotonic() - ready.spent_s
    row: Row = {**bench.identity(point), "extra": {"limits": bench.limits.describe(point.device)}}
    parts: Row = {}
    try:
        if ready.failure is not None:
            raise ready.failure
        worker.resume()
        request = {"do": "solo", "yardstick": yardstick(reference_problem, no_noised_reference)}
        ending = worker.ask(request, bench.limits.timeout_s, parts.update)
        outcome, reason = ending["outcome"], ending["reason"]
    except (Failed, Ended) as failure:
        outcome, reason = failure.outcome, failure.reason
    light = outcome == "ok" and not point.device.startswith("cuda") and worker.is_light(KEPT_BELOW_BYTES)
    stays = keep and light
    if stays:
        worker.pause()
        row["output"] = worker.printed()
    elif light:
        (row["output"],) = dismiss([worker])
    else:
        row["output"] = worker.close()
    for name in [name for name in parts if name not in NAMES]:
        row["extra"][name] = parts.pop(name)
    row |= parts
    if outcome == "ok" and reference_problem:
        reason = f"no reference: {reference_problem}"
    if bench.predict and outcome in ("ok", "nonfinite", "out_of_memory", "timeout"):
        _predict(bench, point, row)
    row |= {"outcome": outcome, "reason": reason, "duration_s": time.monotonic() - started}
    return Alone(point, row, worker if stays else None, light)


def yardstick(reference_problem: str = "", no_noised_reference: str = "") -> dict[str, str] | None:
    """What a worker is asked to hold draws against; nothing where there is no reference."""
    return None if reference_problem else {"no_noised_reference": no_noised_reference}


def _predict(bench: Bench, point: Point, row: Row) -> None:
    """Add the step's prediction to a row, or why there is none."""
    prediction, why = bench.prediction(point)
    if prediction is not None:
        amounts = ("flops", "moved_bytes", "operations")
        row["extra"]["step_work"] = {name: getattr(prediction, name) for name in amounts}
        why = disagreement(prediction.peak_bytes, row.get("peak_step_bytes"))
    if prediction is not None and not why:
        row["predicted_peak_bytes"] = prediction.peak_bytes
    else:
        row["extra"]["no_prediction"] = why


def disagreement(predicted_bytes: int, measured_bytes: int | None) -> str:
    """Why a prediction is withdrawn, or nothing: torch takes other paths for some code when operations are traced."""
    if not measured_bytes or abs(predicted_bytes / measured_bytes - 1) <= PREDICTION_TOLERANCE:
        return ""
    return (
        f"withdrawn: {predicted_bytes} bytes on fake tensors, {measured_bytes} measured; "
        "torch takes another path here when operations are traced, as in nested forward mode"
    )
