"""What is known of a model in training at one moment: its exact objective, its gradient's noise, its score's error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.exact.gradient import exact_gradient
from bench.meters.subject import Subject
from bench.problems import registry
from bench.statistics.score_errors import quantile
from bench.train import rows
from bench.train.training import Training
from bench.train.truth import LOG_DENSITIES, true_score

GROUPS = 8
QUANTILES = {  # column → δ of the (1 − δ)-quantile, and the points it needs
    "score_median": (0.5, 100),
    "score_q90": (0.1, 1000),
    "score_q99": (0.01, 10_000),
    "score_q999": (0.001, 100_000),
}


@dataclass(frozen=True)
class Evaluation:
    """Evaluates a run's model; built once a run.

    Attributes:
        training: the run.
        exact_model: a float64 twin of the model, into which parameters are copied.
        held_out: (N, D) float64.
        batch: (B, D) float64 rows of the training set, on which gradients are compared.
    """

    training: Training
    exact_model: nn.Module
    held_out: Tensor
    batch: Tensor

    def at(self, subject: Subject, place: int) -> dict[str, Any]:
        """The columns of one evaluation; those that are not finite are left empty."""
        with torch.no_grad():
            ours = [p for p in self.exact_model.parameters() if p.requires_grad]
            for mine, theirs in zip(ours, subject.problem.parameters, strict=True):
                mine.copy_(theirs)
        columns = {**self._objective(), **self._noise(subject, place), **self._score()}
        return {name: value if value is not None and math.isfinite(value) else None for name, value in columns.items()}

    def _objective(self) -> dict[str, float]:
        """The mean of ½‖s‖² + tr ∇s over the held-out rows, and of −log p of a normalised model."""
        values = objectives(self.exact_model, self.held_out)
        found = {"objective": float(values.mean()), "objective_error": float(values.std() / math.sqrt(len(values)))}
        if registry.model(self.training.point.problem.model).normalised:
            with torch.no_grad():
                found["nll"] = float(-self.exact_model.log_density(self.held_out).mean())  # type: ignore[operator]
        return found

    def _noise(self, subject: Subject, place: int) -> dict[str, float]:
        """√E‖ĝ − Eĝ‖²/‖g‖ of one draw on a fixed batch, and the same over batches, g being the exact gradient there."""
        gradients = []
        for group in self.batch.tensor_split(min(GROUPS, len(self.batch))):
            _, parts = exact_gradient(self.exact_model, "score_matching", 2, group)
            gradients.append(len(group) / len(self.batch) * torch.cat([part.reshape(-1) for part in parts]))
        groups = torch.stack(gradients)
        exact, count = groups.sum(0), len(groups)
        norm = float(torch.linalg.vector_norm(exact))
        found = {"grad_norm": norm, "grad_std": 0.0, "minibatch_std": math.nan}
        if norm == 0.0:
            return {**found, "grad_std": math.nan}
        if count > 1:  # the sum of G independent parts: G times the variance of one
            spread = (groups - groups.mean(0)).square().sum() * count / (count - 1)
            found["minibatch_std"] = float(spread.sqrt()) / norm
        if subject.estimator.stochastic:
            source = rows.noise_of(self.training, place)
            draws = [subject.flat_gradient(subject.step(source)[1]) for _ in range(self.training.point.draws)]
            found["grad_std"] = float(torch.stack(draws).var(0).sum().sqrt()) / norm
        return found

    def _score(self) -> Mapping[str, float]:
        """L2 norm, median and quantiles of ‖ŝ − s‖ at points of the true density."""
        data = self.training.point.problem.data
        if data not in LOG_DENSITIES or not self.training.score_points:
            return {}
        points = rows.score_points(self.training)
        truth = true_score(data, points)
        errors = np.sort(torch.linalg.vector_norm(score_of(self.exact_model, points) - truth, dim=-1).numpy())
        if not np.isfinite(errors).all():
            return {}
        found = {"score_l2": float(np.sqrt(np.mean(np.square(errors))))}
        for name, (delta, least) in QUANTILES.items():
            if len(errors) >= least:
                found[name] = quantile(errors, delta)[0]
        return found


def objectives(model: nn.Module, x: Tensor) -> Tensor:
    """Exact ½‖s‖² + tr ∇s at every row, (B,), without the gradient in θ, which nobody reads."""
    learnt = [p for p in model.parameters() if p.requires_grad]
    try:
        for parameter in learnt:
            parameter.requires_grad_(False)
        return exact_gradient(model, "score_matching", 2, x)[0]
    finally:
        for parameter in learnt:
            parameter.requires_grad_(True)


def score_of(model: Any, x: Tensor) -> Tensor:
    """s(x), (B, D) to (B, D): the model's own, or the gradient of its log-density; without a graph."""
    if hasattr(model, "score"):
        with torch.no_grad():
            return model.score(x).detach()
    points = x.detach().clone().requires_grad_(True)
    return torch.autograd.grad(model.log_density(points).sum(), points)[0].detach()
