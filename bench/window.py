"""Timing one window of points, interleaved with the anchor: rows come back with times, or with how they failed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from bench.measure import Bench, Row, timing_cpus
from bench.meters import anchor
from bench.meters.device_watch import DeviceWatch
from bench.meters.rates import Rates
from bench.point import Point
from bench.process.workers import Ended, dismiss
from bench.solo import Alone
from bench.statistics.bootstrap import median_interval
from bench.statistics.quality import quality
from bench.timing import LIVE_WORKERS, Entry, Failed, interleave, median_ratio

POINTS_IN_A_WINDOW = LIVE_WORKERS - 1


def opened_anchor(bench: Bench, point: Point) -> Entry:
    """A worker that does a plain training step of a point's model; it serves every window of that problem."""
    return _opened(bench, replace(point, estimator=anchor.NAME, options={}))


def time_window(bench: Bench, points: Sequence[Alone], base: Entry) -> list[Row]:
    """Time at most `POINTS_IN_A_WINDOW` points of one problem in the same rounds as the anchor.

    Args:
        bench: the machinery.
        points: the points, their rows, and their workers where those were kept; the workers are closed.
        base: the anchor; it stays open.
    """
    started = time.monotonic()
    rates = bench.rates(points[0].point)
    group = uuid.uuid4().hex[:12]
    base.kernel_s = 0.0
    timed = [_entry(bench, alone) for alone in points]
    there = [base, *timed]
    watch = _watch(points[0].point.device, there)
    try:
        interleave(there, timeout_s=bench.limits.timeout_s, on_round=watch.look if watch else None)
    finally:
        outputs = dismiss([entry.worker for entry in timed])
    for entry in timed:
        entry.kernel_s += base.kernel_s / len(timed)
    seen = watch.facts() if watch else {}
    spent_s = (time.monotonic() - started) / len(points)
    return [
        _timed(alone, entry, base, group, rates, spent_s, output, seen)
        for alone, entry, output in zip(points, timed, outputs, strict=True)
    ]


def _entry(bench: Bench, alone: Alone) -> Entry:
    if alone.worker is None or alone.worker.has_ended():
        return _opened(bench, alone.point)
    alone.worker.resume(timing_cpus(alone.point.threads))
    return Entry(alone.worker)


def _opened(bench: Bench, point: Point) -> Entry:
    entry = Entry(bench.worker(point.device, timing_cpus(point.threads)))
    try:
        bench.open(entry.worker, point)
    except (Failed, Ended) as failure:
        entry.failure = failure
    return entry


def _watch(device: str, entries: Sequence[Entry]) -> DeviceWatch | None:
    """Of a GPU: what it and others did while the entries were timed; None on a CPU."""
    if not device.startswith("cuda"):
        return None
    return DeviceWatch(device, lambda: sum(entry.failure is None for entry in entries))


def _timed(
    alone: Alone,
    entry: Entry,
    base: Entry,
    group: str,
    rates: Rates | None,
    spent_s: float,
    output: str,
    seen: dict[str, Any],
) -> Row:
    row = {**alone.row, "round_group": group, "duration_s": alone.row["duration_s"] + spent_s}
    if entry.failure is not None:
        row |= {"outcome": entry.failure.outcome, "reason": f"while it was timed: {entry.failure.reason}"}
        earlier = row.get("output") if entry.worker is not alone.worker else ""  # else the process printed both
        row["output"] = "\n".join(filter(None, (earlier, output)))
        return row
    samples = entry.medians["step"]
    middle, low, high = median_interval(samples)
    value, value_low, value_high = median_interval(entry.medians["value"])
    row |= {
        "time_step_s": middle,
        "time_step_low_s": low,
        "time_step_high_s": high,
        "time_value_s": value,
        "time_samples": samples,
        "time_ratio": median_ratio(entry, base),
    }
    if rates is not None and row.get("flops_step"):
        row["matmul_fraction"] = row["flops_step"] / middle / rates.flops_per_s
    facts = row["extra"]
    slowed = bool(facts.get("throttled") or seen.get("slowed_by"))
    others = max(facts.get("others_on_device") or 0, seen.get("others", 0))
    mark, why = quality(samples, low, high, slowed, others)
    row["extra"] = {
        **facts,
        "kernel_s": facts.get("kernel_s", 0.0) + entry.kernel_s,
        **({"no_anchor": base.failure.reason} if base.failure is not None else {}),
        **({"device_while_timed": seen} if seen else {}),
        "quality": mark,
        "quality_reason": why,
        "time_device_s": median(entry.device_s) if entry.device_s else None,
        "time_value_low_s": value_low,
        "time_value_high_s": value_high,
        "time_value_samples": entry.medians["value"],
        "anchor_samples": base.medians.get("step", []),
    }
    return row
