"""Stage `trained`: a fixed number of exact score-matching steps, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    parameters = _trained(model)
    if values is None or [v.shape for v in values] != [p.shape for p in parameters]:
        raise LookupError(
            f"no trained parameters in the cache {cache.directory()}: call bench.problems.prepare(spec) first"
        )
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


def train(model: nn.Module, rows: Tensor, content: Mapping[str, Any]) -> list[float]:
    """A fixed number of steps on ½‖s‖² + tr ∇s by exact differentiation; keep the parameters.

    A model that has ``learn(rows) -> list`` trains itself, on an objective of its own. 40 steps, each on 32 fresh rows,
    as long as there are; 10 on 8 beyond 32 dimensions where there is no route but one term after the other.

    Args:
        model: in float64; changed in place.
        rows: (N, D) rows of the data.
        content: what the parameters are kept under.

    Returns:
        The objective on its rows before each step.
    """
    learn = getattr(model, "learn", None)
    objective = learn(rows) if callable(learn) else _match_scores(model, rows)
    cache.write_bundle(_path(content), {f"p{i}": p.detach().numpy() for i, p in enumerate(_trained(model))})
    return objective


def descend(
    model: nn.Module,
    rows: Tensor,
    objective: Callable[[Tensor], tuple[Tensor, list[Tensor]]],
    steps: int = STEPS,
    batch: int = ROWS,
) -> list[float]:
    """Steps of Adam on an exact objective, each on its own rows while they last.

    A parameter moves by at most a hundredth of its own root mean square a step: an absolute step would change the
    function the more, the wider a layer. Beyond eight weight matrices steps are shorter still.

    Args:
        model: in float64; changed in place.
        rows: (N, D) rows of the data.
        objective: rows (B, D) → the values there, (B,), and the gradient of their mean, a tensor a parameter.
        steps: how many.
        batch: rows a step.

    Returns:
        The objective on its rows before each step.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sizes = [max(float(p.detach().square().mean().sqrt()), SMALLEST_SIZE) for p in parameters]
    relative = RELATIVE_STEP * min(1.0, MANY_WEIGHTS / max(sum(p.dim() >= 2 for p in parameters), 1))
    groups = [{"params": [p], "lr": relative * size} for p, size in zip(parameters, sizes, strict=True)]
    optimiser = torch.optim.Adam(groups)
    values = []
    for step in range(steps):
        chosen = torch.arange(step * batch, (step + 1) * batch) % len(rows)
        value, gradients = objective(rows[chosen])
        values.append(float(value.mean()))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        project = getattr(model, "project", None)
        if callable(project):  # back into the model's constraint set
            project()
    return values


def _match_scores(model: nn.Module, rows: Tensor) -> list[float]:
    one_by_one = rows.shape[1] > 32 and serving(model, "score_matching", 2)[0] == "reverse"
    steps, batch = (10, 8) if one_by_one else (STEPS, ROWS)
    return descend(model, rows, lambda points: exact_gradient(model, "score_matching", 2, points), steps, batch)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    """What training changes: a model says so where that is not what gradients are measured in."""
    trained: Any = getattr(model, "learned_parameters", None)
    return list(trained) if trained is not None else [p for p in model.parameters() if p.requires_grad]


def _path(content: Mapping[str, Any]) -> Any:
    return cache.bundle_path("trained", content)
