"""Stress rows: ELU and ReLU, where the derivative in θ by automatic differentiation is not that of the objective.

Such rows are of the *expected* objective over the batch's rows noised by N(0, NOISE²), estimators and reference alike:
a finite batch's own objective jumps in θ, and has no derivative to be held against.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench import problems
from bench.exact import kinks
from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.references.recipe import Draw, Recipe, Values

NOISE = 0.3  # of a coordinate whose standard deviation on the data is one
REMARK = f"over the rows noised by N(0, {NOISE}²), kinks counted, by Stein's identity"


def at(spec: ProblemSpec, quantity: str, order: int, target: str = "") -> bool:
    """Whether differentiation in θ is wrong: more derivatives in x are taken than the model has continuous ones.

    A vector field has one less taken of it than an energy.
    """
    if target == "mle" or quantity == "log_likelihood" or "activation" not in problems.MODELS[spec.model].reads:
        return False
    taken = {"score_matching": 2}.get(quantity, order) - ("function" not in problems.needs(spec.model))
    return taken > ACTIVATIONS[spec.activation].continuous


def counting(recipe: Recipe, spec: ProblemSpec) -> Recipe:
    """A recipe held against the same quantity over noised rows, with what happens at the kinks."""
    widened = ACTIVATIONS[spec.activation].continuous < 1 and "function" in problems.needs(spec.model)
    floor = kinks.WIDENING_ERROR if widened else 0.0

    def label(spec: ProblemSpec, quantity: str) -> str:
        return f"{recipe.label(spec, quantity)}; {REMARK}"

    return replace(recipe, label=label, kept_as="kinked", sampler=partial(_sampler, widened), noise=NOISE, floor=floor)


def _sampler(widened: bool, model: nn.Module, quantity: str, order: int, x: Tensor) -> Draw:
    weighted = [(1.0, model)]
    if widened:
        once, twice = (kinks.widened(model, x, NOISE, times * kinks.WIDTH) for times in (1, 2))
        weighted = [(4 / 3, once), (-1 / 3, twice)]
    parameters = [p for p in model.parameters() if p.requires_grad]
    keep: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}

    def draw(x: Tensor, v: Tensor, z: Tensor) -> Values:
        value = sum(
            (weight * kinks.draw(model, quantity, order, x, v, NOISE, z) for weight, model in weighted),
            torch.zeros_like(x[:, 0]),
        )
        return value.detach(), list(torch.autograd.grad(value.mean(), parameters, **keep))

    return draw
