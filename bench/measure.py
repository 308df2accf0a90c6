"""Measuring one point alone: everything but its time. Knows processes and rows; knows no store and no sweep."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psutil
import torch

import bench
import estimators
from bench import cache, eviction, key, machine
from bench.columns import NAMES
from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.point import Point, ProblemSpec
from bench.process import visibility
from bench.process.turn import turn
from bench.process.workers import Ended, ForkServer, Launcher, Spawner, StartError, Worker
from bench.timing import Failed

REFERENCE_TIMEOUT_S = 1800.0
DEFAULT_TIMEOUT_S = 60.0
PREDICTION_TOLERANCE = 0.1
KEPT_BELOW_BYTES = 2**27
PREDICTION_S = 3.0  # of the processor: tracing costs some 70 µs an operation, and loops over D have a hundred thousand
PREDICTION_TIMEOUT_S = 30.0  # of the wall, for a step that waits or loops without an operation

Row = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """What a worker may use."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    memory_bytes: int = 0

    @classmethod
    def of_this_machine(cls, timeout_s: float = DEFAULT_TIMEOUT_S, memory_gib: float | None = None) -> Limits:
        """The limits given, by default four fifths of the machine's memory."""
        memory = int(memory_gib * 2**30) if memory_gib else psutil.virtual_memory().total * 4 // 5
        return cls(timeout_s, memory)

    def describe(self, device: str = "cpu") -> str:
        """How the limits are enforced, for the row."""
        how = "by sampling the process family"
        if not device.startswith("cuda"):  # CUDA maps more than it uses, which RLIMIT_DATA would count
            how = "by RLIMIT_DATA in each process and " + how
        return f"{self.timeout_s:g} s wall-clock, kept by the coordinator; {self.memory_bytes / 2**30:.3g} GiB, {how}"


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


class Bench:
    """The machinery of one run: warm fork-servers, limits, plugins. A context manager; nothing survives it."""

    def __init__(
        self,
        limits: Limits | None = None,
        plugins: Sequence[str] = (),
        problem_files: Sequence[str] = (),
        predict: bool = True,
    ) -> None:
        eviction.limit_bytes()  # a limit that does not say what it is, is refused here and not in every worker
        self.limits = limits or Limits.of_this_machine()
        self.plugins, self.problem_files = [str(p) for p in plugins], [str(p) for p in problem_files]
        self.predict = predict
        self._launchers: dict[str, Launcher] = {}
        self._lock = threading.Lock()
        self._rates: dict[tuple[str, str, int], Rates | None] = {}
        self._rates_lock = threading.Lock()
        self._machine = json.dumps(machine.fingerprint(), sort_keys=True)
        self._commit = machine.commit()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and fork-servers."""
        for launcher in self._launchers.values():
            launcher.close()
        self._launchers.clear()

    # Workers

    def between_launches(self) -> None:
        """Called before a point that is compared is launched again: workers of one server share where its memory lies.

        Where both sides come from one server they share it alike, and nothing is to be done.
        """

    def worker(self, device: str, cpus: list[int] | None = None) -> Worker:
        """A fresh worker for a device, which has proved that it imported our estimators and our bench."""
        return self._launcher(device).start(self.limits.memory_bytes, cpus)

    def _launcher(self, device: str) -> Launcher:
        """What starts workers for a device: on a GPU they see it alone."""
        with self._lock:
            if device not in self._launchers:
                self._launchers[device] = self._launch(device)
            return self._launchers[device]

    def _launch(self, device: str) -> Launcher:
        if device.startswith("cuda"):
            return Spawner(visibility.environment(device))
        server = ForkServer()
        check_origins(server.origins)
        return server

    def open(self, worker: Worker, point: Point) -> None:
        """Load a point into a worker.

        Raises:
            Failed: the worker says why not.
            Ended: it died of it.
        """
        answer = worker.ask({"do": "open", **self._opening(point)}, self.limits.timeout_s)
        if "outcome" in answer:
            raise Failed(answer["outcome"], answer["reason"])
        check_origins(answer)

    def _opening(self, point: Point) -> dict[str, Any]:
        seen = replace(point, device=visibility.within(point.device))
        return {"point": seen.to_json(), "plugins": self.plugins, "problems": self.problem_files}

    # The solo pass

    def reference(
        self, spec: ProblemSpec, quantity: str, order: int, target: str, threads: int, sigma: float | None = None
    ) -> str:
        """Have the exact reference computed and kept; returns why it cannot be, or nothing."""
        request = {
            "do": "reference",
            "spec": asdict(spec),
            "quantity": quantity,
            "order": order,
            "target": target,
            "sigma": sigma,
            "threads": threads,
            "problems": self.problem_files,
        }
        worker = self.worker("cpu")
        try:
            answer = worker.ask(request, max(REFERENCE_TIMEOUT_S, self.limits.timeout_s))
            return "" if answer["outcome"] == "ok" else answer["reason"]
        except Ended as ended:
            return ended.reason
        finally:
            for line in worker.close().splitlines():
                if line.startswith(cache.DAMAGED):
                    print(line, file=sys.stderr)

    def solo(self, point: Point, reference_problem: str = "") -> Row:
        """Everything about a point but its time; the row says how it ended."""
        return self.alone(point, reference_problem).row

    def opened(self, point: Point) -> Opened:
        """A fresh worker with a point open, waiting: what can be done while another point is still being measured."""
        started = time.monotonic()
        worker, failure = self.worker(point.device), None
        try:
            self.open(worker, point)
            worker.pause()
        except (Failed, Ended) as why:
            failure = why
        return Opened(worker, failure, time.monotonic() - started)

    def alone(
        self,
        point: Point,
        reference_problem: str = "",
        keep: bool = False,
        no_noised_reference: str = "",
        opened: Opened | None = None,
    ) -> Alone:
        """The solo pass: everything about a point but its time, in one process, within limits.

        Args:
            point: what to measure.
            reference_problem: why there is no reference to compare with, if there is none.
            keep: let a worker that measured well stay, stopped, so that the point can be timed in it. One on a GPU, one
                that holds much memory, or one with children, which may be out of reach, ends all the same.
            no_noised_reference: why a denoising objective is not held against one at noised rows too, if it is not.
            opened: the point, `opened` beforehand.
        """
        opened = opened or self.opened(point)
        worker, started = opened.worker, time.monotonic() - opened.spent_s
        row: Row = {**self.identity(point), "extra": {"limits": self.limits.describe(point.device)}}
        parts: Row = {}
        try:
            if opened.failure is not None:
                raise opened.failure
            worker.resume()
            asked = {"reference": not reference_problem, "no_noised_reference": no_noised_reference}
            request = {"do": "solo", **asked}
            ending = worker.ask(request, self.limits.timeout_s, parts.update)
            outcome, reason = ending["outcome"], ending["reason"]
        except (Failed, Ended) as failure:
            outcome, reason = failure.outcome, failure.reason
        light = outcome == "ok" and not point.device.startswith("cuda") and worker.is_light(KEPT_BELOW_BYTES)
        stays = keep and light
        if stays:
            worker.pause()
            row["output"] = worker.printed()
        else:
            row["output"] = worker.close()
        for name in [name for name in parts if name not in NAMES]:
            row["extra"][name] = parts.pop(name)
        row |= parts
        if outcome == "ok" and reference_problem:
            reason = f"no reference: {reference_problem}"
        if self.predict and outcome in ("ok", "nonfinite", "out_of_memory", "timeout"):
            prediction, why = self.prediction(point)
            if prediction is not None:
                row["extra"]["step_work"] = {
                    name: getattr(prediction, name) for name in ("flops", "moved_bytes", "operations")
                }
                why = disagreement(prediction.peak_bytes, row.get("peak_step_bytes"))
            if prediction is not None and not why:
                row["predicted_peak_bytes"] = prediction.peak_bytes
            else:
                row["extra"]["no_prediction"] = why
        row |= {"outcome": outcome, "reason": reason, "duration_s": time.monotonic() - started}
        return Alone(point, row, worker if stays else None, light)

    def prediction(self, point: Point) -> tuple[Prediction | None, str]:
        """The step on fake tensors, on the CPU whatever the point's device; or why there is no prediction.

        Its limits are for the tracing alone: the worker's rehearsal, and opening the point, are not of it.
        """
        worker = self._launcher("cpu").start(self.limits.memory_bytes)
        request = {"do": "predict", "cuda": point.device.startswith("cuda"), "limit_s": PREDICTION_S}
        try:
            self.open(worker, replace(point, device="cpu"))
            answer = worker.ask(request, PREDICTION_TIMEOUT_S)
            if answer.pop("outcome") != "ok":
                return None, answer["reason"]
            return Prediction(**answer), ""
        except (Failed, Ended) as failure:
            return None, failure.reason
        finally:
            worker.close()

    def identity(self, point: Point) -> Row:
        """The identity and provenance columns of a point's row."""
        source = key.estimator_source(point.estimator)
        return {
            **point.identity(),
            "key": key.key(point, source, machine.hardware_class(point.device)),
            "commit": self._commit,
            "estimator_source": source,
            "method_version": key.METHOD_VERSION,
            "machine": self._machine,
            "torch_version": torch.__version__,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    # Rates

    def rates(self, point: Point) -> Rates | None:
        """What the machine can do with a point's dtype, device and threads; measured once a run, None if it cannot."""
        which = (point.dtype, point.device, point.threads)
        with self._rates_lock:
            if which not in self._rates:
                self._rates[which] = self._measured_rates(point)
            return self._rates[which]

    def _measured_rates(self, point: Point) -> Rates | None:
        worker = self.worker(point.device, timing_cpus(point.threads))
        try:
            with turn():
                device = visibility.within(point.device)
                request = {"do": "rates", "dtype": point.dtype, "device": device, "threads": point.threads}
                answer = worker.ask(request, max(DEFAULT_TIMEOUT_S, self.limits.timeout_s))
            return Rates.fitted(**answer["rates"]) if answer["outcome"] == "ok" else None
        except Ended:
            return None
        finally:
            worker.close()


def disagreement(predicted_bytes: int, measured_bytes: int | None) -> str:
    """Why a prediction is withdrawn, or nothing: torch takes other paths for some code when operations are traced."""
    if not measured_bytes or abs(predicted_bytes / measured_bytes - 1) <= PREDICTION_TOLERANCE:
        return ""
    return (
        f"withdrawn: {predicted_bytes} bytes on fake tensors, {measured_bytes} measured; "
        "torch takes another path here when operations are traced, as in nested forward mode"
    )


def check_origins(origins: dict[str, Any]) -> None:
    """Workers measure what this process imported, or nothing.

    Raises:
        StartError: they imported other estimators, another bench, or another torch.
    """
    ours = {
        "estimators": os.path.realpath(estimators.__file__),
        "bench": os.path.realpath(bench.__file__),
    }
    for package, path in ours.items():
        if origins.get(package) != path:
            raise StartError(
                f"workers imported {package} from {origins.get(package)}, this process from {path}; "
                "install this checkout with `pip install -e .`, or run the interpreter that has it"
            )


def timing_cpus(threads: int) -> list[int] | None:
    """The cores that timed workers are pinned to: the last ones this process may use; None where pinning is not had."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-threads:] if threads < len(allowed) else None
