"""The training loop, inside a worker: steps between evaluations, and after each evaluation a state to go on from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import estimators
from bench import problems
from bench.meters import flops, memory
from bench.meters.subject import Subject
from bench.train import optimiser, rows
from bench.train.evaluation import Evaluation
from bench.train.training import Training

WARM_UP_STEPS = 2
Send = Callable[..., None]


class Trainer:
    """One run, from its first step or from a state that `save` wrote.

    Args:
        training: the run.
        arrays: the state to go on from; None to begin.

    Attributes:
        place: the last evaluation made, −1 before the one before the first step.
        steps: steps made.
        train_s: seconds they took, evaluations left out.
    """

    def __init__(self, training: Training, arrays: dict[str, np.ndarray] | None = None) -> None:
        point, self.training = training.point, training
        dtype, device = getattr(torch, point.dtype), point.device
        self.problem = problems.build(point.problem, dtype, device)
        train_rows, held_out = rows.split(training)
        self.train_rows = train_rows.to(device, dtype)
        batch = train_rows[rows.batch_of(training, 0)]
        self.estimator = estimators.get(point.estimator)
        self.subject = self._subject(batch.to(device, dtype))
        exact = problems.build(point.problem, torch.float64).model
        self.evaluation = Evaluation(training, exact, held_out, batch)
        self.optimiser = optimiser.make(training.optimiser, training.optimiser_options, self.problem.parameters)
        self.place, self.steps, self.train_s = -1, 0, 0.0
        if arrays is not None:
            self._restore(arrays)
        for _ in range(WARM_UP_STEPS):  # changes nothing: a first call's late imports are nobody's training time
            self.subject.step(rows.probes_of(training, 0))

    def facts(self) -> dict[str, int]:
        """What a step costs, and how many numbers it trains."""
        source, device = rows.probes_of(self.training, 0), self.training.point.device
        return {
            "parameters": sum(parameter.numel() for parameter in self.problem.parameters),
            "peak_step_bytes": memory.allocator_peak_bytes(lambda: self.subject.step(source), device),
            "flops_step": flops.count(lambda: self.subject.step(source)),
            "flops_evaluation": flops.count(self._evaluate_model),
        }

    def advance(self) -> str:
        """Train up to the next evaluation; returns what stopped it before, or nothing."""
        self.place += 1
        while not self._is_there():
            started = time.perf_counter()
            loss = self._step()
            self.train_s += time.perf_counter() - started
            self.steps += 1
            if not math.isfinite(loss):
                return f"the loss is {loss} in step {self.steps}"
        return ""

    def look(self, flops_evaluation: int, flops_step: int) -> dict[str, Any]:
        """The columns of the evaluation at the place it has come to."""
        evaluations = self.steps * flops_step / flops_evaluation if flops_evaluation else None
        where = {"place": self.place, "steps": self.steps, "train_s": self.train_s, "evaluations": evaluations}
        return {**where, **self.evaluation.at(self.subject, self.place)}

    def save(self, path: Path) -> None:
        """Write what `Trainer` goes on from: arrays, no pickles."""
        numbers = {name: np.array(getattr(self, name)) for name in ("place", "steps", "train_s")}
        arrays = {f"parameter/{n}": p.detach().cpu().numpy() for n, p in enumerate(self.problem.parameters)}
        with path.open("wb") as file:
            np.savez(file, **numbers, **arrays, **optimiser.state(self.optimiser))  # type: ignore[arg-type]

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        with torch.no_grad():
            for number, parameter in enumerate(self.problem.parameters):
                parameter.copy_(torch.from_numpy(arrays[f"parameter/{number}"]))
        optimiser.restore(self.optimiser, arrays)
        self.place, self.steps, self.train_s = (
            int(arrays["place"]),
            int(arrays["steps"]),
            float(arrays["train_s"]),
        )

    def _is_there(self) -> bool:
        share = self.place / self.training.marks
        if self.training.steps is not None:
            return self.steps >= round(share * self.training.steps)
        assert self.training.seconds is not None
        return self.train_s >= share * self.training.seconds

    def _step(self) -> float:
        chosen = self.train_rows[rows.batch_of(self.training, self.steps)]
        values, gradients = self._subject(chosen).step(rows.probes_of(self.training, self.steps))
        for parameter, gradient in zip(self.problem.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        project = getattr(self.problem.model, "project", None)
        if callable(project):  # back into the model's constraint set
            project()
        return float(values.mean())

    def _subject(self, x: torch.Tensor) -> Subject:
        point = self.training.point
        return Subject(self.estimator, replace(self.problem, x=x), point.order, point.options)

    def _evaluate_model(self) -> None:
        with torch.no_grad():
            model: Any = self.problem.model
            (model.log_density if hasattr(model, "log_density") else model.score)(self.subject.problem.x)


def train(
    training: Training, state: str | None, flops_known: dict[str, int], folder: str, send: Send
) -> dict[str, str]:
    """Train to the end of the budget, sending what is known as soon as it is.

    Args:
        training: the run.
        state: the file to go on from; None to begin.
        flops_known: ``flops_step`` and ``flops_evaluation`` of a run that goes on.
        folder: where states are written, a file each.
        send: takes ``facts``, and ``point`` with the ``state`` after it.

    Returns:
        The outcome and the reason.
    """
    arrays = None
    if state is not None:
        with np.load(state, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
    trainer = Trainer(training, arrays)
    if arrays is None:
        facts = trainer.facts()
        send(facts=facts)
        flops_known = {name: facts[name] for name in ("flops_evaluation", "flops_step")}
    while trainer.place < training.marks:
        trouble = trainer.advance()
        point = trainer.look(**flops_known)
        path = Path(folder) / f"{trainer.place}.npz"
        trainer.save(path)
        send(point=point, state=str(path))
        if not trouble and point["objective"] is None:
            trouble = f"the exact objective is not finite after step {trainer.steps}"
        if trouble:
            return {"outcome": "nonfinite", "reason": trouble}
    return {"outcome": "ok", "reason": ""}
