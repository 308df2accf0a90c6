"""Hutchinson's estimator with the quadratic form taken by central differences."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.difference_step import difference_step
from estimators.registry import register


@register(
    "fd_hutchinson",
    quantity="laplacian",
    bias="vanishing",
    step="eps",
    bias_order=2,
    pair="hutchinson",
    cost=Cost("2 M + 1", memory="(2 M + 1) (D + W)", step_memory="(2 M + 1) (D + L W)"),
    tags=("stochastic-trace", "finite-difference", "function-values"),
    source="Hutchinson (1989), with the second derivative along the probe by a central difference",
)
def fd_hutchinson(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    eps: float | None = None,
    probes: int = 1,
    law: str = "rademacher",
) -> Tensor:
    """Average central second differences along random directions.

    Δf(x) ≈ (1/M) Σ_m (D/ε²) [f(x + w_m) + f(x − w_m) − 2 f(x)], with w_m = (ε/√D) v_m and E[v vᵀ] = I.

    Bias O(ε²) against ``hutchinson`` on the same probes: (ε²/12D) E[D⁴f[v⁴]], for gaussian probes (ε²/4D) Δ²f.
    Variance that of ``hutchinson``; no term diverges as ε → 0, but rounding grows as D u |f|/ε².

    Cost: 2M + 1 evaluations in one batch, and one ordinary reverse pass for the θ-gradient: no second differentiation.
    Time and memory O(M), with no factor D.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        eps: ε, the length of the displacement (its root mean square, for laws whose probes vary in length). The default
            None takes √D u^¼ with u the dtype's machine epsilon, as ``fd_ssm`` does and for its reason.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: ε ≤ 0, M < 1, an unknown law, M > D for ``orthonormal``, or another order.

    Source: Hutchinson (1989), A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
    splines, Communications in Statistics 18; central differences as in Srinivas, Fleuret (2021), there one-sided.
    """
    step = difference_step(eps, False, power=1 / 4, factor=1.0, x=x) / math.sqrt(x.shape[1])
    w = step * probe_laws.draw(law, probes, x, generator)
    values = f(torch.cat([x.unsqueeze(0), x + w, x - w]).flatten(0, 1)).view(-1, x.shape[0])
    differences = (values[1 : probes + 1] - values[0]) + (values[probes + 1 :] - values[0])
    return differences.mean(0) / step**2
