"""A worker: a process that measures one point, and answers its coordinator one request at a time.

Requests: ``open`` a point, ``solo`` (first call, memory, FLOPs, accuracy), ``warm_up`` and ``block`` (timing, while
others take turns), ``reference`` (compute and keep one), ``predict`` (memory, on fake tensors), ``gradients`` (block
means of draws), ``rates`` (what the machine can do), ``train`` (a training run). Parts of an answer are sent as soon as
they are known: what was measured before a worker died is kept.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import socket
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

import bench
import estimators
from bench import cache, planted, problems, references
from bench.meters import accuracy, anchor, clock, convergence, flops, heap, memory, prediction, rates, state
from bench.meters.block_means import block_means
from bench.meters.subject import Subject, generator
from bench.point import Point, ProblemSpec
from bench.problems import fixed_function
from bench.process import limits
from bench.process.channel import Channel, Closed
from bench.references import Reference

DTYPES = {name: getattr(torch, name) for name in ("float32", "float64", "bfloat16", "float16")}


def origins() -> dict[str, Any]:
    """Which estimators, which bench and which torch this process imported: the coordinator compares."""
    return {
        "estimators": os.path.realpath(estimators.__file__),
        "bench": os.path.realpath(bench.__file__),
        "torch": torch.__version__,
    }


def main(descriptor: int, cpus: list[int] | None = None) -> None:
    """A worker started from nothing, on the socket ``descriptor``."""
    limits.die_with_parent()
    if cpus:
        os.sched_setaffinity(0, cpus)
    with contextlib.suppress(Closed):
        serve(Channel(socket.socket(fileno=descriptor)))


def serve(channel: Channel) -> None:
    """Answer requests until the coordinator goes."""
    desk = _Desk(channel)
    channel.send({"ready": os.getpid()})  # what a point may take counts from here
    while True:
        request = channel.receive()
        try:
            answer = desk.handlers[request["do"]](request)
        except Closed:
            raise
        except BaseException as error:
            traceback.print_exc()
            answer = failure(error)
        sys.stdout.flush()
        channel.send({"answer": answer})


def use_device(device: str) -> None:
    """Make a CUDA device the current one: synchronising and events act on that."""
    chosen = torch.device(device)
    if chosen.type == "cuda" and chosen.index is not None:
        torch.cuda.set_device(chosen)


def failure(error: BaseException) -> dict[str, str]:
    """The outcome and the reason that an exception means."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
    if isinstance(error, NotImplementedError):
        return {"outcome": "unsupported", "reason": str(error) or reason}
    out_of_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in str(error) or "not enough memory" in str(error))
    )
    return {"outcome": "out_of_memory" if out_of_memory else "error", "reason": reason[:2000]}


_Yardstick = tuple[Subject, Reference, Reference | None, dict[str, str]]  # the twin; exact; at noised rows, or why not


class _Desk:
    """The one point this worker is open for."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.handlers = {
            "open": self.open,
            "solo": self.solo,
            "warm_up": self.warm_up,
            "block": self.block,
            "reference": self.reference,
            "predict": self.predict,
            "gradients": self.gradients,
            "rates": self.rates,
            "train": self.train,
        }
        self.clocks: dict[str, clock.Clock] = {}
        self.yardstick: _Yardstick | None = None

    def part(self, **columns: Any) -> None:
        """Send columns that are known already."""
        self.channel.send({"part": {name: _plain(value) for name, value in columns.items()}})

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        for path in request["problems"]:
            problems.load_file(path)
        for path in request["plugins"]:
            estimators.load_file(path)
        self.point = point = Point.from_json(request["point"])
        torch.set_num_threads(point.threads)
        use_device(point.device)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.problem = problems.build(point.problem, DTYPES[point.dtype], point.device)
        self.random = generator(point.problem.seed)
        if point.estimator == anchor.NAME:
            self.subject: Any = anchor.PlainStep(self.problem)
        else:
            self.subject = Subject(estimators.get(point.estimator), self.problem, point.order, point.options)
        self.yardstick = None
        if request.get("yardstick"):
            with contextlib.suppress(Exception):  # the solo pass meets it too, and says so
                self.yardstick = self._yardstick(**request["yardstick"])
        return origins()

    def solo(self, request: dict[str, Any]) -> dict[str, Any]:
        """First call, state, memory, FLOPs, accuracy: alone on the machine or not, none of it depends on time."""
        point, subject, device = self.point, self.subject, self.point.device
        fixed_function.check(self.problem)
        before = state.Snapshot.of(self.problem)
        started = time.perf_counter()
        value, gradients = subject.step(generator(point.problem.seed))
        if self.problem.x.is_cuda:
            torch.cuda.synchronize()
        self.part(first_call_s=time.perf_counter() - started)
        subject.value(generator(point.problem.seed))
        if changed := before.changes(self.problem):
            return {"outcome": "error", "reason": "it changed " + ", ".join(changed)}
        not_finite = accuracy.finite(value, *gradients)
        del value, gradients
        self.part(peak_value_bytes=memory.allocator_peak_bytes(lambda: subject.value(self.random), device))
        self.part(peak_step_bytes=memory.allocator_peak_bytes(lambda: subject.step(self.random), device))
        self.part(rss_peak_bytes=memory.rss_peak_bytes(lambda: subject.step(self.random)))
        self.part(
            flops_value=flops.count(lambda: subject.value(self.random)),
            flops_step=flops.count(lambda: subject.step(self.random)),
        )
        if subject.estimator.needs == "equilibrium":
            self._convergence()
        if self.problem.x.is_cuda:
            self._gpu()
        if not_finite:
            return {"outcome": "nonfinite", "reason": not_finite}
        if request["yardstick"]:
            try:
                self.part(**self._accuracy(**request["yardstick"]))
            except accuracy.NotFinite as error:
                return {"outcome": "nonfinite", "reason": str(error)}
        if changed := before.changes(self.problem):
            return {"outcome": "error", "reason": "it changed " + ", ".join(changed)}
        return {"outcome": "ok", "reason": ""}

    def _accuracy(self, **asked: Any) -> dict[str, Any]:
        twin, reference, noised, why_not = self.yardstick or self._yardstick(**asked)
        self.yardstick = None
        return {**accuracy.accuracy(self.subject, twin, reference, self.point.draws, noised), **why_not}

    def _yardstick(self, no_noised_reference: str) -> _Yardstick:
        """What draws are held against."""
        point = self.point
        sigma = point.options.get("sigma")
        which = (point.problem, point.quantity, point.order)
        reference = references.load_or_compute(*which, point.target, sigma)
        exact_problem = problems.build(point.problem, torch.float64, "cpu")
        twin = Subject(self.subject.estimator, exact_problem, point.order, point.options)
        noised, why_not = None, {}
        if point.target == "dsm" and no_noised_reference:
            why_not = {"no_noised_reference": no_noised_reference}
        elif point.target == "dsm" and not reference.noise:
            try:
                noised = references.load_or_compute(*which, "smoothed", sigma)
            except NotImplementedError as error:
                why_not = {"no_noised_reference": str(error)}
        return twin, reference, noised, why_not

    def _convergence(self) -> None:
        problem = self.problem

        def value(model: Any) -> None:
            watched = replace(self.subject, problem=replace(problem, model=model))
            watched.value(self.random)

        seen = convergence.convergence(problem.model, len(problem.x), value)
        self.part(fixed_point_residual=seen.residual, solver_applications=seen.solver_applications)

    def _gpu(self) -> None:
        from bench.meters.device import Gpu

        readings: dict[str, Callable[[Gpu], Any]] = {
            "gpu_process_bytes": lambda gpu: gpu.process_bytes(),
            "energy_j": lambda gpu: gpu.energy_j(lambda: self.subject.step(self.random)),
            "throttled": lambda gpu: gpu.throttled(),
            "others_on_device": lambda gpu: gpu.others(),
        }
        for name, reading in readings.items():
            try:
                self.part(**{name: reading(Gpu(self.point.device))})
            except Exception as error:  # a driver that cannot say one thing must not cost the row
                self.part(**{f"no_{name}": failure(error)["reason"]})

    def warm_up(self, request: dict[str, Any]) -> dict[str, Any]:
        heap.keep_freed_memory()
        step = getattr(self.subject, request["what"])

        def call() -> Any:
            return step(self.random)

        slowed = planted.slowed(call, request["planted"]) if request["planted"] else call
        timer = self.clocks[request["what"]] = clock.Clock(slowed, self.point.device)
        typical_s = timer.warm_up(request["budget_s"])
        return {"typical_s": typical_s, "kernel_s": timer.spent_s, "outcome": "ok"}

    def block(self, request: dict[str, Any]) -> dict[str, Any]:
        """A block of each call asked for, one after the other."""
        blocks = {}
        before_s = sum(timer.spent_s for timer in self.clocks.values())
        for call, length_s in request["lengths_s"].items():
            timer = self.clocks[call]
            samples = timer.block(length_s)
            device_s = statistics.median(timer.device_s) if timer.device_s else None
            blocks[call] = {"median_s": statistics.median(samples), "samples": len(samples), "device_s": device_s}
        kernel_s = sum(timer.spent_s for timer in self.clocks.values()) - before_s
        return {"blocks": blocks, "kernel_s": kernel_s, "outcome": "ok"}

    def reference(self, request: dict[str, Any]) -> dict[str, Any]:
        for path in request["problems"]:
            problems.load_file(path)
        torch.set_num_threads(request["threads"])
        spec = ProblemSpec(**request["spec"])
        which = (request["quantity"], request["order"], request["target"], request["sigma"])
        found = references.load_or_compute(spec, *which)
        return {"outcome": "ok", "label": found.label, "route": found.route}

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            predicted = prediction.predict(self.subject, lambda: generator(0), request["cuda"], request["limit_s"])
        except prediction.Unpredictable as error:
            return {"outcome": "unsupported", "reason": str(error)[:500]}
        return {"outcome": "ok", **asdict(predicted)}

    def gradients(self, request: dict[str, Any]) -> dict[str, Any]:
        """Block means of draws of the gradient, kept as an array, to be compared with another version's."""
        np.save(request["path"], block_means(self.subject, request["draws"]), allow_pickle=False)
        return {"outcome": "ok"}

    def rates(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the machine can do with a dtype on a device."""
        heap.keep_freed_memory()
        torch.set_num_threads(request["threads"])
        use_device(request["device"])
        return {"outcome": "ok", "rates": rates.measure(DTYPES[request["dtype"]], request["device"])}

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        """A training run, from its beginning or from a state; parts are its evaluations."""
        from bench.train.trainer import train
        from bench.train.training import Training

        for path in request["problems"]:
            problems.load_file(path)
        for path in request["plugins"]:
            estimators.load_file(path)
        training = Training.from_json(request["training"])
        heap.keep_freed_memory()
        torch.set_num_threads(training.point.threads)
        use_device(training.point.device)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        return train(training, request["state"], request["flops_known"], request["folder"], self.part)


def warm_up() -> None:
    """Have torch import what it imports late, in the fork-server, once for all workers.

    Fake tensors and a fake gradient reach nearly all of it; they do no arithmetic, so no thread starts. Where torch was
    built with CUDA, a gradient starts a thread for each kind of device, even a fake one, and a process forked after it
    could take none: workers then import that part themselves.
    """
    import torch._dynamo
    import torch._functorch.apis
    import torch._functorch.eager_transforms
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.ones(2, 2, requires_grad=True)
        y = torch.nn.functional.softplus(x @ x).sum()
        torch.empty_like(x, device="meta")
        if not torch.backends.cuda.is_built():
            torch.autograd.grad(y, x)
            torch.func.vmap(torch.func.hessian(lambda z: z.sum()))(torch.ones(2, 2))
    cache.code()
    gc.collect()
    gc.freeze()  # a collection in a worker need not walk what the server holds, nor copy its pages


def _plain(value: Any) -> Any:
    """A value that JSON carries: numbers that are not finite become None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
