"""Stage `trained`: a fixed number of exact score-matching steps, kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench import cache
from bench.exact.gradient import exact_gradient, serving

STEPS, ROWS = 40, 32
RELATIVE_STEP, SMALLEST_SIZE, MANY_WEIGHTS = 0.01, 0.1, 8
TRAINING_VERSION = 4


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
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if values is None or [v.shape for v in values] != [p.shape for p in parameters]:
        raise LookupError(
            f"no trained parameters in the cache {cache.directory()}: call bench.problems.prepare(spec) first"
        )
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


def train(model: nn.Module, rows: Tensor, content: Mapping[str, Any]) -> list[float]:
    """A fixed number of steps of Adam on ½‖s‖² + tr ∇s by exact differentiation; keep the parameters.

    40 steps, each on 32 fresh rows, as long as there are; 10 on 8 beyond 32 dimensions where there is no route but one
    term after the other. A parameter moves by at most a hundredth of its own root mean square a step: an absolute step
    would change the function the more, the wider a layer. Beyond eight weight matrices steps are shorter still.

    Args:
        model: in float64; changed in place.
        rows: (N, D) rows of the data.
        content: what the parameters are kept under.

    Returns:
        The objective on its rows before each step.
    """
    one_by_one = rows.shape[1] > 32 and serving(model, "score_matching", 2)[0] == "reverse"
    steps, batch = (10, 8) if one_by_one else (STEPS, ROWS)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sizes = [max(float(p.detach().square().mean().sqrt()), SMALLEST_SIZE) for p in parameters]
    relative = RELATIVE_STEP * min(1.0, MANY_WEIGHTS / max(sum(p.dim() >= 2 for p in parameters), 1))
    groups = [{"params": [p], "lr": relative * size} for p, size in zip(parameters, sizes, strict=True)]
    optimiser = torch.optim.Adam(groups)
    objective = []
    for step in range(steps):
        chosen = torch.arange(step * batch, (step + 1) * batch) % len(rows)
        value, gradients = exact_gradient(model, "score_matching", 2, rows[chosen])
        objective.append(float(value.mean()))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        project = getattr(model, "project", None)
        if callable(project):  # back into the model's constraint set
            project()
    cache.write_bundle(_path(content), {f"p{i}": p.detach().numpy() for i, p in enumerate(parameters)})
    return objective


def _path(content: Mapping[str, Any]) -> Any:
    return cache.bundle_path("trained", content)
