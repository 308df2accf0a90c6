"""A sum of many derivative terms whose θ-gradient needs the graph of one term at a time.

Kept as it is, a sum of D second derivatives holds D graphs until the backward pass. Here the forward pass keeps none,
and the backward pass computes each term once more, with its graph, differentiates it, and lets it go.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from estimators.protocols import leaf

TERMS_AT_A_TIME = 16  # each group goes back through the part of the graph that all terms share

Terms = Callable[[Tensor, bool], Iterator[Tensor]]


def summed(terms: Terms, x: Tensor, depends_on: Tensor) -> Tensor:
    """Σ of the terms, (B,), differentiable once in x and in every leaf tensor that ``depends_on`` was computed from.

    Differentiating its gradient raises RuntimeError.

    Args:
        terms: (x, create_graph) → the terms, each (B,), one after the other, at a leaf x that requires gradients.
        x: the points, (B, D).
        depends_on: a tensor computed from the same parameters as the terms, whose graph is searched for them.
    """
    return _Summed.apply(terms, x, *_leaves(depends_on))


def _leaves(y: Tensor) -> list[Tensor]:
    """The tensors that require gradients at the ends of y's graph."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    waiting = [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found[id(variable)] = variable
        waiting.extend(parent for parent, _ in node.next_functions)
    return list(found.values())


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, terms: Terms, x: Tensor, *leaves: Tensor) -> Tensor:
        ctx.terms = terms
        ctx.save_for_backward(x, *leaves)
        total = torch.zeros_like(x[:, 0])
        with torch.enable_grad():
            for term in terms(leaf(x.detach()), False):
                total += term.detach()
        return total

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        again = torch.is_grad_enabled()  # with create_graph
        x, *leaves = ctx.saved_tensors
        with torch.enable_grad():
            point = leaf(x.detach())
            wanted = (point, *leaves)
            totals: list[Tensor | None] = [None] * len(wanted)
            terms = ctx.terms(point, True)
            while group := list(itertools.islice(terms, TERMS_AT_A_TIME)):
                part = torch.stack(group).sum(0)
                del group
                if not part.requires_grad:
                    continue
                gradients = torch.autograd.grad(part, wanted, weight, retain_graph=True, allow_unused=True)
                del part
                for k, g in enumerate(gradients):
                    if g is not None:
                        totals[k] = g if totals[k] is None else totals[k] + g  # type: ignore[operator]
        if again:
            totals = [None if g is None else _Once.apply(g.detach(), weight, x, *leaves) for g in totals]
        return (None, *totals)


class _Once(torch.autograd.Function):
    """A gradient that says so when it is differentiated.

    torch's own ``once_differentiable`` looks at the incoming gradient alone, and where that is a constant it makes the
    result one too: a derivative of it would be silently zero.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, *computed_from: Tensor) -> Tensor:
        return g.clone()

    @staticmethod
    def backward(ctx: Any, *weights: Tensor) -> tuple[Tensor | None, ...]:
        raise RuntimeError(
            "a sum whose terms are computed again is differentiable once; recompute=False keeps its graph"
        )
