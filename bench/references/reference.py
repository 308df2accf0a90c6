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
from bench.point import ProblemSpec
from bench.problems import fixed_function
from bench.problems.build import content as problem_content
from bench.references import kinked, sampling, smoothed
from bench.references.csm import CSM
from bench.references.dsm import DSM
from bench.references.exact import EXACT, NONE
from bench.references.mle import MLE
from bench.references.recipe import Recipe
from bench.references.residual import RESIDUAL
from bench.references.smoothed import SMOOTHED
from estimators.estimator import QUANTITIES, TARGETS

REFERENCE_VERSION = 3
GROUPS = 16
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "exact": EXACT,
        "sm": EXACT,
        "dsm": DSM,
        "csm": CSM,
        "smoothed": SMOOTHED,
        "mle": MLE,
        "residual": RESIDUAL,
        "none": NONE,
    }
)
_NUMBERS = ("minibatch_std", "error", "noise")


@dataclass(frozen=True)
class Reference:
    """What estimators are held against.

    Attributes:
        value: the quantity at every row, (B,) float64.
        gradient: ∇θ of its mean over the batch, (P,) float64, flattened over ``problem.parameters`` in order.
        minibatch_std: relative standard deviation of that gradient over batches of this size; NaN where it cannot be
            known, from a single row or with a vanishing gradient.
        label: in words, what it is.
        route: how it was computed, one of its recipe's routes, or ``draws``.
        error: relative standard error of the gradient, √(tr S/n)/‖g‖ over n draws; 0 where it is exact.
        noise: σ; what is held against it is run at x + σz, a fresh z each draw. 0 for the points as they are.
    """

    value: Tensor
    gradient: Tensor
    minibatch_std: float
    label: str
    route: str
    error: float = 0.0
    noise: float = 0.0


def compute(
    spec: ProblemSpec,
    quantity: str,
    order: int = 2,
    target: str | None = None,
    route: str | None = None,
    sigma: float | None = None,
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
        sigma: the width of the smoothing, for the target ``smoothed``.

    Raises:
        ValueError: an impossible specification, quantity or target.
        NotImplementedError: there is no exact route.
    """
    recipe = _recipe(spec, quantity, order, _check(spec, quantity, target), sigma)
    problems.prepare(spec)
    problem = problems.build(spec)
    fixed_function.check(problem)
    if recipe.sampler is not None:
        return _averaged(problem, recipe, quantity, order)
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
        label=recipe.label(spec, quantity) + _remark(problem, quantity),
        route=route,
    )


def _remark(problem: problems.Problem, quantity: str) -> str:
    """What the label says of the model besides."""
    norms = fixed_function.fused_layer_norms(problem.model)
    if not norms or quantity == "log_likelihood":
        return ""
    return f"; through the fused nn.LayerNorm of {', '.join(norms)}, where torch 2.13's θ-gradients are wrong"


def _averaged(problem: problems.Problem, recipe: Recipe, quantity: str, order: int) -> Reference:
    assert recipe.sampler is not None
    draw = recipe.sampler(problem.model, quantity, order, problem.x)
    mean = sampling.average(draw, problem.x, problem.v, recipe.rows, recipe.error, recipe.limit_s)
    return Reference(
        value=mean.value,
        gradient=mean.gradient,
        minibatch_std=mean.minibatch_std,
        label=recipe.label(problem.spec, quantity) + _remark(problem, quantity),
        route="draws",
        error=mean.error,
        noise=recipe.noise,
    )


def load_or_compute(
    spec: ProblemSpec, quantity: str, order: int = 2, target: str | None = None, sigma: float | None = None
) -> Reference:
    """`compute`, kept in the cache under all that determines it.

    Raises:
        ValueError, NotImplementedError: as `compute`.
    """
    target = _check(spec, quantity, target)
    recipe = _recipe(spec, quantity, order, target, sigma)
    label = recipe.label(spec, quantity)
    path = cache.bundle_path("references", _content(spec, quantity, order, recipe))
    bundle = cache.read_bundle(path)
    if bundle is not None and set(bundle) == {"value", "gradient", *_NUMBERS, "route", "remark"}:
        value, gradient = torch.from_numpy(bundle["value"]), torch.from_numpy(bundle["gradient"])
        numbers = {name: float(bundle[name]) for name in _NUMBERS}
        return Reference(value, gradient, label=label + str(bundle["remark"]), route=str(bundle["route"]), **numbers)
    if bundle is not None:
        cache.damaged(path)
    reference = compute(spec, quantity, order, target, sigma=sigma)
    arrays = {"value": reference.value.numpy(), "gradient": reference.gradient.numpy()}
    facts = {name: np.array(getattr(reference, name)) for name in (*_NUMBERS, "route")}
    facts["remark"] = np.array(reference.label.removeprefix(label))
    cache.write_bundle(path, {**arrays, **facts})
    return reference


def _recipe(spec: ProblemSpec, quantity: str, order: int, target: str, sigma: float | None) -> Recipe:
    """The target's recipe; where kinks make differentiation in θ wrong, the one that counts them."""
    recipe = RECIPES[target]
    if target == "smoothed" and sigma and not kinked.at(spec, quantity, order):
        return smoothed.at(sigma)
    return kinked.counting(recipe, spec) if kinked.at(spec, quantity, order, target) else recipe


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
        "noise": recipe.noise,
        "torch": torch.__version__,
        "version": REFERENCE_VERSION,
    }


def _minibatch_std(gradients: list[Tensor], weights: Tensor, mean: Tensor) -> float:
    """Of the weighted mean of the groups' gradients, over its norm."""
    groups, norm = len(gradients), float(torch.linalg.vector_norm(mean))
    if groups < 2 or norm == 0.0:
        return math.nan
    spread = sum(float(w) ** 2 * float((g - mean).square().sum()) for w, g in zip(weights, gradients, strict=True))
    return math.sqrt(spread * groups / (groups - 1)) / norm
