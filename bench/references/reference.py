"""A reference: the exact values and the exact parameter gradient of one quantity on one problem, in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench import cache, problems
from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.build import content as problem_content
from bench.references.csm import CSM
from bench.references.dsm import DSM
from bench.references.exact import EXACT, NONE
from bench.references.mle import MLE
from bench.references.recipe import Recipe
from bench.references.smoothed import SMOOTHED
from estimators.estimator import QUANTITIES, TARGETS

REFERENCE_VERSION = 1
GROUPS = 16
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {"exact": EXACT, "sm": EXACT, "dsm": DSM, "csm": CSM, "smoothed": SMOOTHED, "mle": MLE, "none": NONE}
)


@dataclass(frozen=True)
class Reference:
    """What estimators are held against.

    Attributes:
        value: the quantity at every row, (B,) float64.
        gradient: ∇θ of its mean over the batch, (P,) float64, flattened over ``problem.parameters`` in order.
        minibatch_std: relative standard deviation of that gradient over batches of this size; NaN where it cannot be
            known, from a single row or with a vanishing gradient.
        label: in words, what it is.
        route: how it was computed, one of its recipe's routes.
    """

    value: Tensor
    gradient: Tensor
    minibatch_std: float
    label: str
    route: str


def compute(
    spec: ProblemSpec, quantity: str, order: int = 2, target: str | None = None, route: str | None = None
) -> Reference:
    """The reference of a quantity on a problem.

    The batch is split in up to 16 groups of rows; the spread of the groups' exact gradients gives ``minibatch_std`` at
    no further cost: with G groups of equal size, √(Σ_g ‖g_g − ḡ‖² / (G(G − 1))) / ‖ḡ‖.

    Args:
        spec: the problem.
        quantity: what is estimated.
        order: T.
        target: what the estimators converge to; None for the quantity's first.
        route: None for the cheapest that serves.

    Raises:
        ValueError: an impossible specification, quantity or target.
        NotImplementedError: there is no exact route.
    """
    recipe = RECIPES[_check(spec, quantity, target)]
    problems.prepare(spec)
    problem = problems.build(spec)
    route = recipe.routes(problem.model, quantity, order)[0] if route is None else route
    batch = len(problem.x)
    groups = torch.arange(batch).tensor_split(min(GROUPS, batch))
    values, gradients = [], []
    for group in groups:
        value, parts = recipe.exact(problem.model, quantity, order, problem.x[group], problem.v[group], route)
        values.append(value)
        gradients.append(torch.cat([g.reshape(-1) for g in parts]))
    weights = torch.tensor([len(group) / batch for group in groups], dtype=torch.float64)
    mean = sum(w * g for w, g in zip(weights, gradients, strict=True))
    return Reference(
        value=torch.cat(values),
        gradient=mean,
        minibatch_std=_minibatch_std(gradients, weights, mean),
        label=_label(spec, quantity, recipe),
        route=route,
    )


def load_or_compute(spec: ProblemSpec, quantity: str, order: int = 2, target: str | None = None) -> Reference:
    """`compute`, kept in the cache under all that determines it.

    Raises:
        ValueError, NotImplementedError: as `compute`.
    """
    target = _check(spec, quantity, target)
    recipe = RECIPES[target]
    facts = _label(spec, quantity, recipe)
    path = cache.bundle_path("references", _content(spec, quantity, order, recipe))
    bundle = cache.read_bundle(path)
    if bundle is not None and set(bundle) == {"value", "gradient", "minibatch_std", "route"}:
        value, gradient = torch.from_numpy(bundle["value"]), torch.from_numpy(bundle["gradient"])
        return Reference(value, gradient, float(bundle["minibatch_std"]), facts, str(bundle["route"]))
    reference = compute(spec, quantity, order, target)
    arrays = {"value": reference.value.numpy(), "gradient": reference.gradient.numpy()}
    facts_kept = {"minibatch_std": np.array(reference.minibatch_std), "route": np.array(reference.route)}
    cache.write_bundle(path, {**arrays, **facts_kept})
    return reference


def _check(spec: ProblemSpec, quantity: str, target: str | None) -> str:
    problems.check(spec)
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity has to be one of {', '.join(QUANTITIES)}; got {quantity!r}")
    target = TARGETS[quantity][0] if target is None else target
    if target not in TARGETS[quantity]:
        raise ValueError(f"target of {quantity} has to be one of {', '.join(TARGETS[quantity])}; got {target!r}")
    if quantity not in problems.quantities(spec.model):
        offered = ", ".join(problems.quantities(spec.model))
        raise NotImplementedError(f"model {spec.model!r} has no {quantity}; it offers {offered}")
    RECIPES[target].check(spec, quantity)
    return target


def _content(spec: ProblemSpec, quantity: str, order: int, recipe: Recipe) -> Mapping[str, Any]:
    return {
        "problem": {**problem_content(spec), "batch": spec.batch},
        "spec": asdict(problems.canonical(spec)),
        "quantity": quantity,
        "order": order,
        "target": recipe.kept_as,
        "torch": torch.__version__,
        "version": REFERENCE_VERSION,
    }


def _label(spec: ProblemSpec, quantity: str, recipe: Recipe) -> str:
    label = recipe.label(spec, quantity)
    reads_activation = "activation" in problems.MODELS[spec.model].reads
    if reads_activation and not ACTIVATIONS[spec.activation].smooth:
        label += f"; by automatic differentiation, which for {spec.activation} is not the derivative of the loss"
    return label


def _minibatch_std(gradients: list[Tensor], weights: Tensor, mean: Tensor) -> float:
    """Of the weighted mean of the groups' gradients, over its norm."""
    groups, norm = len(gradients), float(torch.linalg.vector_norm(mean))
    if groups < 2 or norm == 0.0:
        return math.nan
    spread = sum(float(w) ** 2 * float((g - mean).square().sum()) for w, g in zip(weights, gradients, strict=True))
    return math.sqrt(spread * groups / (groups - 1)) / norm
