"""The machinery of measuring: processes, limits, plugins, references, predictions. Knows no store and no sweep."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psutil
import torch

import bench
import estimators
from bench import cache, eviction, key, machine
from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.point import Point, ProblemSpec
from bench.process import visibility
from bench.process.turn import turn
from bench.process.workers import Ended, ForkServer, Launcher, Spawner, StartError, Worker
from bench.timing import Failed

REFERENCE_TIMEOUT_S = 1800.0
DEFAULT_TIMEOUT_S = 60.0
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
        self.machine = json.dumps(machine.fingerprint(), sort_keys=True)
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

    def open(self, worker: Worker, point: Point, yardstick: dict[str, str] | None = None) -> None:
        """Load a point into a worker, and if asked, what its draws will be held against.

        Raises:
            Failed: the worker says why not.
            Ended: it died of it.
        """
        answer = worker.ask({"do": "open", **self._opening(point), "yardstick": yardstick}, self.limits.timeout_s)
        if "outcome" in answer:
            raise Failed(answer["outcome"], answer["reason"])
        self.accept(answer)

    def accept(self, origins: dict[str, Any]) -> None:
        """Refuse a worker that imported other code than it should have.

        Raises:
            StartError: it did.
        """
        check_origins(origins)

    def _opening(self, point: Point) -> dict[str, Any]:
        seen = replace(point, device=visibility.within(point.device))
        return {"point": seen.to_json(), "plugins": self.plugins, "problems": self.problem_files}

    # What takes a process of its own, and no point's turn

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
            worker.end()  # fake tensors hold nothing that the next one could miss

    def identity(self, point: Point) -> Row:
        """The identity and provenance columns of a point's row."""
        source = key.estimator_source(point.estimator)
        return {
            **point.identity(),
            "key": key.key(point, source, machine.hardware_class(point.device)),
            "commit": self._commit,
            "estimator_source": source,
            "method_version": key.METHOD_VERSION,
            "machine": self.machine,
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
