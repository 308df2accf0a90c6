"""The Hessian of one row's value in its input, as the products H V that trace estimators of other packages ask for.

Those packages know one matrix at a time, so that a batch is a loop over rows here, as it is for whoever uses them. The
products keep a θ-graph where gradients are enabled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class InputHessian:
    """H = ∇²f at one point, (1, D), with its gradient's graph kept for every product."""

    def __init__(self, f: Callable[[Tensor], Tensor], row: Tensor) -> None:
        self.create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            self.row = row.detach().requires_grad_(True)
            (self.gradient,) = torch.autograd.grad(f(self.row).sum(), self.row, create_graph=True)

    def columns(self, vectors: Tensor) -> Tensor:
        """H V for V: (D, K), a reverse pass for each column; (D, K)."""
        if not self.gradient.requires_grad:
            return torch.zeros_like(vectors)
        options: dict[str, Any] = {"create_graph": self.create_graph, "retain_graph": True, "materialize_grads": True}
        with torch.enable_grad():
            products = [
                torch.autograd.grad(self.gradient, self.row, v.unsqueeze(0), allow_unused=True, **options)[0].squeeze(0)
                for v in vectors.unbind(1)
            ]
        return torch.stack(products, dim=1)


def by_rows(f: Callable[[Tensor], Tensor], x: Tensor, trace: Callable[[InputHessian], Tensor]) -> Tensor:
    """The trace of every row's Hessian, one after the other; (B,)."""
    traces = torch.stack([trace(InputHessian(f, row)) for row in x.split(1)])
    return traces if torch.is_grad_enabled() else traces.detach()


def seed_from(generator: torch.Generator) -> int:
    """A seed for a package that keeps random state of its own."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device))
