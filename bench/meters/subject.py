"""The subject of a measurement: an estimator on a problem, as two calls, the value and the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.problems.problem import Problem
from estimators import Estimator


@dataclass(frozen=True)
class Subject:
    """An estimator, with its options and order, on a problem."""

    estimator: Estimator
    problem: Problem
    order: int
    options: Mapping[str, Any]

    def values(self, generator: torch.Generator | None) -> Tensor:
        """The estimates, (B,); with a graph where gradients are enabled."""
        arguments = self.problem.arguments(self.estimator.quantity)
        return self.estimator(*arguments, order=self.order, generator=generator, **self.options)

    def value(self, generator: torch.Generator | None) -> Tensor:
        """The value: the estimates without any graph for θ."""
        with torch.no_grad():
            return self.values(generator)

    def step(self, generator: torch.Generator | None) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """The step: the estimates, and ∇θ of their batch mean (None for a parameter that plays no part)."""
        values = self.values(generator)
        parameters = self.problem.parameters
        if not parameters or not values.requires_grad:
            return values.detach(), (None,) * len(parameters)
        return values.detach(), torch.autograd.grad(values.mean(), parameters, allow_unused=True)

    def flat_gradient(self, gradients: tuple[Tensor | None, ...]) -> Tensor:
        """∇θ as one float64 vector on the CPU, (P,), zeros for parameters that played no part."""
        return self.flat_gradients([gradients])[0]

    def flat_gradients(self, draws: Sequence[tuple[Tensor | None, ...]]) -> Tensor:
        """∇θ of m draws as float64 rows on the CPU, (m, P), as `flat_gradient` has one; few calls of torch for all."""
        pieces = [
            torch.stack([torch.zeros_like(parameter) if one is None else one for one in every]).reshape(len(draws), -1)
            for parameter, *every in zip(self.problem.parameters, *draws, strict=True)
        ]
        return torch.cat(pieces, 1).to("cpu", torch.float64) if pieces else torch.zeros(len(draws), 0).double()


def generator(seed: int) -> torch.Generator:
    """A fresh generator on the CPU: probes are the same on every device."""
    return torch.Generator().manual_seed(seed)
