"""The anchor: one plain training step of a problem's model, timed in every window beside the estimators.

It is the yardstick's own code and does not change with the estimators: ratios to it compare windows, runs and versions.
A ``time_ratio`` of 3 reads: this estimator's step costs three plain forward-and-backward passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.problems.problem import Problem
from bench.problems.registry import needs

NAME = "anchor"


@dataclass(frozen=True)
class PlainStep:
    """Mean log-density (for a vector field ½‖s‖²), and its gradient in θ: what any training step costs at least.

    A flow's is taken up to a constant in x, as by its score-matching objectives.
    """

    problem: Problem

    def _mean(self) -> Tensor:
        model: Any = self.problem.model
        x = self.problem.x
        if "flow" in needs(self.problem.spec.model):
            return model.log_density(x, constant_log_dets=False).mean()
        if hasattr(model, "log_density"):
            return model.log_density(x).mean()
        return 0.5 * model.score(x).pow(2).sum(-1).mean()

    def value(self, generator: torch.Generator | None = None) -> Tensor:
        """The forward pass, without a graph."""
        with torch.no_grad():
            return self._mean()

    def step(self, generator: torch.Generator | None = None) -> tuple[Tensor | None, ...]:
        """The forward pass and the gradient."""
        return torch.autograd.grad(self._mean(), self.problem.parameters, allow_unused=True)
