"""Hessian-vector products at fixed points, with and without a θ-graph, for estimators that need both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from estimators.protocols import leaf
from estimators.reverse import gradient, vector_jacobian


class HessianProducts:
    """H v for stacks of vectors, from one gradient of f.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D).
        chunk: how many vectors go through one batched reverse pass; None for all.
    """

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor, chunk: int | None) -> None:
        self.create_graph = torch.is_grad_enabled()
        self.chunk = chunk
        with torch.enable_grad():
            self.x = leaf(x)
            self.g = gradient(f(self.x), self.x, create_graph=True)

    def __call__(self, vectors: Tensor, *, detached: bool = False) -> Tensor:
        """H v for (M, B, D) vectors, same shape; without a θ-graph if ``detached``, or where gradients are disabled."""
        create_graph = self.create_graph and not detached
        with torch.enable_grad():
            products = [
                vector_jacobian(self.g, self.x, some, create_graph=create_graph)
                for some in vectors.split(self.chunk or vectors.shape[0])
            ]
        return torch.cat(products)
