"""A problem: a model, its points and directions, ready to be measured, and the exact answers where they are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from bench.point import ProblemSpec


@dataclass(frozen=True)
class Problem:
    """One built problem.

    Attributes:
        spec: what it was built from.
        model: an ``nn.Module`` with ``log_density(x) -> (B,)``, or ``score(x) -> (B, D)``, or both, in the dtype and on
            the device asked for. Energies of affine and pointwise layers hold them in an ``nn.Sequential`` ``layers``.
        x: the points, (B, D).
        v: unit directions, (B, D), from the problem's seed.
        closed_form: the exact values by formula, (quantity, order, x, v) → (B,), differentiable in the model's
            parameters, or None where there is no formula.
    """

    spec: ProblemSpec
    model: nn.Module
    x: Tensor
    v: Tensor
    closed_form: Callable[[str, int, Tensor, Tensor], Tensor] | None = None

    @cached_property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """The parameters that gradients are taken in: frozen ones are left out."""
        return tuple(parameter for parameter in self.model.parameters() if parameter.requires_grad)

    def arguments(self, quantity: str) -> tuple[Any, ...]:
        """The positional arguments of an estimator's call: (model, x), and v for a directional derivative."""
        return (self.model, self.x, self.v) if quantity == "directional" else (self.model, self.x)
