"""Exact score matching, with the trace term by term."""

from collections.abc import Iterator

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.recompute import summed
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "sm_exact",
    quantity="score_matching",
    needs="score",
    cost=Cost(
        "s (D + 1)",
        step_passes="[recompute] s (4 D + 3 + 2 ceil(D/16)) + [recompute = False] 3 s (D + 1)",
        memory="D + L W",
        step_memory="(D - [recompute] max(0, D - 16)) (D + 2 L W)",
    ),
    tags=("exact", "reverse-mode"),
    source="Hyvärinen (2005), Estimation of Non-Normalized Statistical Models by Score Matching, eq. 4",
)
def sm_exact(score, x: Tensor, *, recompute: bool = False) -> Tensor:
    """Score matching with the trace of the score's Jacobian taken in full, one coordinate after the other.

    L(x) = ½ ‖s(x)‖² + Σ_i ∂s_i(x)/∂x_i.

    Exact up to rounding.

    Cost: one score, and D reverse passes through it. Without a θ-gradient memory is that of one pass, with no factor D;
    with it the D graphs are kept until the backward pass, O(D · depth · width). With ``recompute`` they are not: the
    backward pass makes the D passes again, sixteen graphs at a time, and the step takes about a third more time.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        recompute: whether to compute the terms again in the backward pass; the result is then differentiable once.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: x is no floating-point tensor of shape (B, D).

    Source: Hyvärinen (2005), Estimation of Non-Normalized Statistical Models by Score Matching, JMLR 6, eq. 4.
    """
    create_graph = torch.is_grad_enabled()

    def terms(x: Tensor, create_graph: bool) -> Iterator[Tensor]:
        s = score(x)
        yield 0.5 * (s**2).sum(-1)
        for i in range(x.shape[1]):
            yield gradient(s[:, i], x, create_graph=create_graph, retain_graph=True)[:, i]

    if create_graph and recompute:
        return summed(terms, x, score(x))
    total = torch.zeros_like(x[:, 0])
    with torch.enable_grad():
        for term in terms(leaf(x), create_graph):
            total = total + (term if create_graph else term.detach())
    return total
