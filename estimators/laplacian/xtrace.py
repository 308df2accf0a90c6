"""XTrace: every probe sketches for all others, and is tested against them."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.laplacian.hessian_products import HessianProducts
from estimators.registry import register

INDEPENDENT = ("rademacher", "gaussian", "sphere")


@register(
    "xtrace",
    quantity="laplacian",
    cost=Cost("2 M + 2", memory="M^3 + 4 M D + 4 L W", step_memory="M^3 + 4 M (D + 4 L W)"),
    tags=("stochastic-trace", "variance-reduced", "reverse-mode"),
    source="Epperly, Tropp, Webber (2024), XTrace: Making the Most of Every Sample in Stochastic Trace Estimation",
)
def xtrace(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    probes: int = 4,
    law: str = "rademacher",
    chunk: int | None = 1,
) -> Tensor:
    """Leave each probe out in turn: the exact trace on the span of the others, and its own estimate of the rest.

    Δf(x) ≈ (1/k) Σ_i [ tr(P_i H P_i) + w_iᵀ (I − P_i) H (I − P_i) w_i ], with k = M/2 probes w_i and P_i the orthogonal
    projector onto the span of {H w_j, j ≠ i}.

    Unbiased, in value and in θ-gradient: P_i is detached and depends on the other probes alone, so that each term is
    unbiased for every fixed P_i. That holds at any rank: spans are cut off at the numerical rank, where the usual
    inversion of R fails (a ridge net narrower than k).

    Cost: one gradient and M Hessian-vector products (H w_i, and H times a basis of all H w_j), with k small singular
    value decompositions of k × (k − 1) a row; memory O(M D) and O(M · depth · width) with a θ-gradient.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        probes: M, how many Hessian-vector products a row, even, at most 2 D.
        law: the probes' law: rademacher, gaussian or sphere. The probes have to be independent of each other:
            orthonormal and coordinate ones would make it biased.
        chunk: how many products go through one batched reverse pass; None for all. It changes no number.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M is odd or above 2 D, the law's probes are not independent, or another order.

    Source: Epperly, Tropp, Webber (2024), XTrace: Making the Most of Every Sample in Stochastic Trace Estimation, SIAM
    Journal on Matrix Analysis and Applications 45.
    """
    if probes % 2 or probes > 2 * x.shape[1]:
        raise ValueError(f"option probes of xtrace has to be even and at most 2 D = {2 * x.shape[1]}; got {probes}")
    if law not in INDEPENDENT:
        raise ValueError(
            f"option law of xtrace has to be one of {', '.join(INDEPENDENT)} (independent probes); got {law!r}"
        )
    product = HessianProducts(f, x, chunk)
    w = probe_laws.draw(law, probes // 2, x, generator)
    hw = product(w)  # (k, B, D)
    with torch.no_grad():
        q, r = torch.linalg.qr(hw.detach().permute(1, 2, 0))  # (B, D, k), (B, k, k)
        inside = _left_out_projectors(r)  # (B, k, k, k): the projectors P_i in the basis Q
        coordinates = torch.einsum("bdi,kbd->kbi", q, w)
        kept = torch.einsum("bkij,kbj->kbi", inside, coordinates)  # P_i w_i in the basis Q
    hq = product(q.permute(2, 0, 1).contiguous())
    qhq = torch.einsum("bdi,jbd->bij", q, hq)
    exact = torch.einsum("bkij,bji->kb", inside, qhq)
    rest = w - torch.einsum("bdi,kbi->kbd", q, kept)
    h_rest = hw - torch.einsum("ibd,kbi->kbd", hq, kept)
    return (exact + (rest * h_rest).sum(-1)).mean(0)


def _left_out_projectors(r: Tensor) -> Tensor:
    """For each column i of r, (B, k, k), the orthogonal projector onto the span of the other columns, (B, k, k, k)."""
    k = r.shape[-1]
    others = torch.stack([torch.cat([r[..., :i], r[..., i + 1 :]], dim=-1) for i in range(k)], dim=1)
    if k == 1:
        return r.new_zeros((*r.shape[:1], 1, 1, 1))
    u, s, _ = torch.linalg.svd(others, full_matrices=False)  # (B, k, k, k−1)
    cut = s[..., :1] * k * torch.finfo(r.dtype).eps * 10
    u = u * (s > cut).unsqueeze(-2)
    return u @ u.mT
