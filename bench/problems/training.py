"""Stage `trained`: a fixed number of exact score-matching steps, kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench import cache

STEPS, ROWS, LEARNING_RATE = 40, 32, 3e-3
TRAINING_VERSION = 1


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
    """``STEPS`` steps of Adam on ½‖s‖² + tr ∇s over the rows, by exact differentiation; keep the parameters.

    Returns:
        The objective before each step.
    """
    from bench.exact.gradient import exact_gradient

    parameters = list(model.parameters())
    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    objective = []
    for _ in range(STEPS):
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
    recipe = {"steps": STEPS, "rows": ROWS, "learning_rate": LEARNING_RATE, "training_version": TRAINING_VERSION}
    return cache.bundle_path("trained", {**content, **recipe})
