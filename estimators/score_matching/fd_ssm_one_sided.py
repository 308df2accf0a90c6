"""One-sided finite-difference sliced score matching, from two values of the log-density."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.difference_step import difference_step
from estimators.displaced import at_displaced
from estimators.registry import register


@register(
    "fd_ssm_one_sided",
    quantity="score_matching",
    needs="function",
    bias="vanishing",
    step="eps",
    bias_order=2,
    cost=Cost("M + 1", memory="(M + 1) (D + W)", step_memory="(M + 1) (D + L W)"),
    tags=("sliced", "finite-difference", "function-values", "one-sided"),
    source="Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score "
    "Matching; the two-evaluation variant of the published code",
)
def fd_ssm_one_sided(
    f,
    x: Tensor,
    *,
    generator: torch.Generator,
    eps: float = 0.1,
    per_sqrt_dim: bool = False,
    probes: int = 1,
    law: str = "sphere",
    batched: bool = True,
) -> Tensor:
    """Sliced score matching from f at one end of the displacement and at the point itself.

    L(x) = (1/M) Σ_m (D/2ε²) [ (f(x + w_m) − f(x))² + 4 (f(x + w_m) − f(x)) ], with w_m = (ε/√D) v_m.

    Bias O(ε²) over a symmetric law. A single draw also carries the term (2√D/ε) vᵀs, of mean zero, which diverges as ε
    → 0: no pair, and a step has to be chosen between bias and that noise.

    Cost: M + 1 evaluations of f in one batch, and one ordinary reverse pass for the θ-gradient.

    Args:
        f: the log-density, (B, D) to (B,); up to a constant.
        x: the points, (B, D), float32 or float64.
        generator: the source of the directions.
        eps: ε, the length of the displacement. There is no best one for the dtype, since the noise rules: 0.1 as for
            the published central form; the published code's own is 0.01.
        per_sqrt_dim: whether ``eps`` is the step per coordinate, ε/√D, instead of ε.
        probes: M, how many directions a row.
        law: the directions' law before scaling, one of ``estimators.probes.LAWS``. Under ``coordinate``, which is not
            symmetric, the diverging term has a mean: refused.
        batched: one evaluation of all points, or one for each displacement, which needs less memory at a time.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: ε ≤ 0, M < 1, an unknown law or ``coordinate``, or M > D for ``orthonormal``.

    Source: Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score
    Matching, NeurIPS; times D/2ε², so that it is on the scale of ½‖s‖² + tr ∇s.
    """
    if law == "coordinate":
        raise ValueError("option law of fd_ssm_one_sided has to be symmetric; got 'coordinate', which never draws −e_i")
    dim = x.shape[1]
    step = difference_step(eps, per_sqrt_dim, power=1 / 4, factor=1.0, x=x)
    w = probe_laws.draw(law, probes, x, generator) * (step / math.sqrt(dim))
    values = at_displaced(f, (x.unsqueeze(0), x + w), batched)
    rise = values[1:] - values[0]
    return (dim / (2 * step**2)) * (rise**2 + 4 * rise).mean(0)
