"""Stage `trained`: a fixed number of exact score-matching steps, kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench import cache
from bench.exact.gradient import exact_gradient, serving

STEPS, ROWS, LEARNING_RATE = 40, 32, 3e-3
STEPS_TERM_BY_TERM, ROWS_TERM_BY_TERM = 10, 8  # where an exact step costs D second derivatives
TRAINING_VERSION = 2


def load(content: Mapping[str, Any]) -> list[Tensor] | None:
    """The trained parameters under ``content``, or None."""
    bundle = cache.read_bundle(_path(content))
    return None if bundle is None else [torch.from_numpy(bundle[f"p{i}"]) for i in range(len(bundle))]


def restore(model: nn.Module, content: Mapping[str, Any]) -> None:
    """Put trained parameters in place.

    Raises:
        LookupError: they have not been prepared.
    """
    values = load(content)
    parameters = list(model.parameters())
    if values is None or [v.shape for v in values] != [p.shape for p in parameters]:
        raise LookupError(
            f"no trained parameters in the cache {cache.directory()}: call bench.problems.prepare(spec) first"
        )
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


def train(model: nn.Module, rows: Tensor, content: Mapping[str, Any]) -> list[float]:
    """A fixed number of steps of Adam on ½‖s‖² + tr ∇s over the rows, by exact differentiation; keep the parameters.

    40 steps on 32 rows; 10 on 8 beyond 32 dimensions where there is no route but one term after the other.

    Returns:
        The objective before each step.
    """
    parameters = list(model.parameters())
    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    objective = []
    one_by_one = rows.shape[1] > 32 and serving(model, "score_matching", 2)[0] == "reverse"
    rows = rows[:ROWS_TERM_BY_TERM] if one_by_one else rows
    for _ in range(STEPS_TERM_BY_TERM if one_by_one else STEPS):
        value, gradients = exact_gradient(model, "score_matching", 2, rows)
        objective.append(float(value.mean()))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        if hasattr(model, "project"):  # back into the model's constraint set
            model.project()
    arrays = {f"p{i}": p.detach().numpy() for i, p in enumerate(parameters)}
    cache.write_bundle(_path(content), arrays)
    return objective


def _path(content: Mapping[str, Any]) -> Any:
    return cache.bundle_path("trained", {**content, "training_version": TRAINING_VERSION})
