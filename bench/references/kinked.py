"""Stress rows: ELU and ReLU, where the derivative in θ by automatic differentiation is not that of the objective.

Such rows are of the *expected* objective over the batch's rows noised by N(0, NOISE²), estimators and reference alike:
a finite batch's own objective jumps in θ, and has no derivative to be held against.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from bench import problems
from bench.exact import kinks, lines
from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.references.recipe import Draw, Recipe, Values

NOISE = 0.3  # of a coordinate whose standard deviation on the data is one
LIMIT_S = 600.0
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
    jumps = ACTIVATIONS[spec.activation].continuous < 1 and "function" in problems.needs(spec.model)

    def label(spec: ProblemSpec, quantity: str) -> str:
        return f"{recipe.label(spec, quantity)}; {REMARK}"

    sampler = _along_lines if jumps else _at_points
    return replace(recipe, label=label, kept_as="kinked", sampler=sampler, noise=NOISE, limit_s=LIMIT_S)


def _at_points(model: nn.Module, quantity: str, order: int, x: Tensor) -> Draw:
    """Where the score is continuous."""

    def draw(x: Tensor, v: Tensor, z: Tensor) -> Values:
        value = kinks.draw(model, quantity, order, x, v, NOISE, z)
        return value.detach(), gradients(model, value.mean())

    return draw


def _along_lines(model: nn.Module, quantity: str, order: int, x: Tensor) -> Draw:
    """Where the score itself jumps."""
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        raise NotImplementedError(f"{type(model).__name__} has kinks that are in no nn.ReLU module: no reference")
    rows = lines.rows_at_once(model, x)

    def draw(x: Tensor, v: Tensor, z: Tensor) -> Values:
        values, sums = [], None
        for some in zip(*(t.split(rows) for t in (x, v, z)), strict=True):
            value = lines.draw(model, quantity, order, some[0], some[1], NOISE, some[2])
            parts = gradients(model, value.sum() / len(x))
            sums = parts if sums is None else [a + b for a, b in zip(sums, parts, strict=True)]
            values.append(value.detach())
        assert sums is not None
        return torch.cat(values), sums

    return draw


def gradients(model: nn.Module, mean: Tensor) -> list[Tensor]:
    """Of a mean, one for each parameter that requires one."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return list(torch.autograd.grad(mean, parameters, allow_unused=True, materialize_grads=True))
