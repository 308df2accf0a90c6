"""Hutch++: an exact trace on a sketched subspace, Hutchinson's estimator on the rest."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.laplacian.hessian_products import HessianProducts
from estimators.registry import register


@register(
    "hutchpp",
    quantity="laplacian",
    cost=Cost("2 M + 2", step_passes="14/3 M + 6", memory="M D + 2 L W", step_memory="M (D + L W)"),
    tags=("stochastic-trace", "variance-reduced", "reverse-mode"),
    source="Meyer, Musco, Musco, Woodruff (2021), Hutch++: Optimal Stochastic Trace Estimation, algorithm 1",
)
def hutchpp(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    probes: int = 3,
    law: str = "rademacher",
    chunk: int | None = 1,
) -> Tensor:
    """Take the trace exactly on the span of H S, and estimate what is orthogonal to it.

    Δf(x) ≈ tr(QᵀHQ) + (3/M) Σ_m g_mᵀ (I − QQᵀ) H (I − QQᵀ) g_m, with Q an orthonormal basis of H S; S and G are M/3
    probes each, drawn independently.

    Unbiased, in value and in θ-gradient: the basis Q is detached, and the estimate is unbiased for every fixed Q. The
    variance of the value is much below Hutchinson's where H has a decaying spectrum; that of the θ-gradient need not
    be, since Q captures the range of H and not of ∂H/∂θ.

    Cost: one gradient and M Hessian-vector products, a third of them without a θ-graph, and a QR of D × M/3 a row;
    memory O(M D) and O(M · depth · width) with a θ-gradient.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        probes: M, how many Hessian-vector products a row, a multiple of three.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many products go through one batched reverse pass; None for all. It changes no number.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M is no multiple of three, an unknown law, M/3 > D for ``orthonormal``, or another order.

    Source: Meyer, Musco, Musco, Woodruff (2021), Hutch++: Optimal Stochastic Trace Estimation, SOSA, algorithm 1.
    """
    if probes % 3:
        raise ValueError(f"option probes of hutchpp has to be a multiple of 3; got {probes}")
    third = probes // 3
    s = probe_laws.draw(law, third, x, generator)
    g = probe_laws.draw(law, third, x, generator)
    product = HessianProducts(f, x, chunk)
    with torch.no_grad():
        sketch = product(s, detached=True).permute(1, 2, 0)  # (B, D, M/3)
        q, _ = torch.linalg.qr(sketch)  # orthonormal whatever the rank of the sketch
        coordinates = torch.einsum("bdk,mbd->mbk", q, g)
        rest = g - torch.einsum("bdk,mbk->mbd", q, coordinates)  # never q qᵀ, which is D × D a row
        basis = q.permute(2, 0, 1).contiguous()
    return (product(basis) * basis).sum((0, -1)) + (product(rest) * rest).sum((0, -1)) / third
