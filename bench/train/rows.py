"""The rows of a training run: which are trained on and which held out, and in what order.

One split for all seeds, so that a band over seeds is of training and not of who was held out. Orders, and the random
numbers of the estimators, are functions of the seed and the step alone: every estimator sees the same batches and the
same probes, and a run that goes on after a kill needs no generator's state.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import Tensor

from bench.data import source
from bench.problems.build import generator
from bench.train.training import Training

SCORE_ROWS = "score points"


def prepare(training: Training) -> None:
    """Make the data's table, if there is to be one; in the coordinator, where data libraries may be imported."""
    spec = training.point.problem
    source.prepare(spec.data, spec.dim, training.rows + training.held_out)


def split(training: Training) -> tuple[Tensor, Tensor]:
    """Training rows (rows, D) and held-out rows (held_out, D), float64.

    Raises:
        LookupError: the data's table has not been prepared.
    """
    spec = replace(training.point.problem, seed=0)
    both = source.rows(spec.data, spec.dim, training.rows + training.held_out, generator(spec, "training rows"))
    return both[: training.rows], both[training.rows :]


def batch_of(training: Training, step: int) -> Tensor:
    """Which training rows step number ``step`` sees, (batch,): a fresh order each epoch, its rest left out."""
    size = training.point.problem.batch
    a_epoch = training.rows // size
    epoch, place = divmod(step, a_epoch)
    order = torch.randperm(training.rows, generator=_generator(training, f"order {epoch}"))
    return order[place * size : (place + 1) * size]


def probes_of(training: Training, step: int) -> torch.Generator:
    """The generator that the estimator is given at a step."""
    return _generator(training, f"probes {step}")


def noise_of(training: Training, place: int) -> torch.Generator:
    """The generator of the draws that an evaluation makes to see the gradient's noise."""
    return _generator(training, f"noise {place}")


def score_points(training: Training) -> Tensor:
    """Points of the true density, (score_points, D) float64, that are in neither set."""
    spec = replace(training.point.problem, seed=0)
    return source.rows(spec.data, spec.dim, training.score_points, generator(spec, SCORE_ROWS))


def _generator(training: Training, purpose: str) -> torch.Generator:
    seed = hashlib.sha256(f"{training.point.problem.seed} training {purpose}".encode()).digest()[:7]
    return torch.Generator().manual_seed(int.from_bytes(seed, "big"))
