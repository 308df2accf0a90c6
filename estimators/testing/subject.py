"""What is being tested: an estimator with its options, and the small cases it is called on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from estimators.estimator import Estimator
from estimators.testing.models import MODELS

DIM = 3
ROWS = 4


class NotApplicable(Exception):
    """The property says nothing about this estimator; the message says why."""


@dataclass(frozen=True)
class Case:
    """A model, points, directions and a derivative order."""

    model: Any
    x: Tensor
    v: Tensor
    order: int

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """What gradients are taken in."""
        return tuple(self.model.parameters())

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{type(self.model).__name__}, order {self.order}"

    def repeated(self, times: int) -> Case:
        """The same rows over and over: independent probes for each copy."""
        return Case(self.model, self.x.repeat(times, 1), self.v.repeat(times, 1), self.order)


@dataclass(frozen=True)
class Subject:
    """An estimator, and the options it is to be called with."""

    estimator: Estimator
    options: dict[str, Any]

    def orders(self) -> tuple[int, ...]:
        """The derivative orders it is tested at."""
        if self.estimator.quantity in ("directional", "laplacian"):
            return (1, 2, 3, 4) if self.estimator.orders == "any" else tuple(self.estimator.orders)
        return (2,)

    def cases(self, dtype: torch.dtype = torch.float64) -> Iterator[Case]:
        """Every model that offers what the estimator needs, at every order."""
        generator = torch.Generator().manual_seed(7)
        x = torch.randn((ROWS, DIM), generator=generator, dtype=torch.float64).to(dtype)
        v = torch.randn((ROWS, DIM), generator=generator, dtype=torch.float64).to(dtype)
        for model in MODELS[self.estimator.needs]:
            for order in self.orders():
                yield Case(model(DIM).to(dtype), x.clone(), v.clone(), order)

    def call(self, case: Case, seed: int = 0, model: Any = None, **options: Any) -> Tensor:
        """The estimates on a case, (B,), from a generator of that seed."""
        est = self.estimator
        directions = (case.v,) if est.quantity == "directional" else ()
        keywords: dict[str, Any] = {**self.options, **options}
        if est.quantity in ("directional", "laplacian"):
            keywords["order"] = case.order
        generator = torch.Generator().manual_seed(seed)
        return est(case.model if model is None else model, case.x, *directions, generator=generator, **keywords)

    def option(self, name: str) -> Any:
        """The value an option has in these tests."""
        return {**self.estimator.options, **self.options}.get(name)


def theta_gradient(values: Tensor, case: Case) -> Tensor:
    """∇θ of the mean of the values, as one vector."""
    if not values.requires_grad:
        return torch.zeros(sum(p.numel() for p in case.parameters), dtype=values.dtype)
    gradients = torch.autograd.grad(values.mean(), case.parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([g.reshape(-1) for g in gradients])
