"""Sliced score matching by Taylor mode."""

import functools

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along


@register(
    "taylor_ssm",
    quantity="score_matching",
    needs="score",
    pair="ssm",
    cost=Cost("M + s", memory="(M + 2) (D + W)", step_memory="(M + 2) (D + L W)"),
    tags=("sliced", "taylor-mode"),
    source="Song, Garg, Shi, Ermon (2019), Sliced Score Matching: A Scalable Approach to Density and Score Estimation, "
    "eq. 8, by Taylor mode: Griewank, Walther (2008), Evaluating Derivatives, ch. 13",
)
def taylor_ssm(
    score,
    x: Tensor,
    *,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    chunk: int | None = None,
) -> Tensor:
    """Sliced score matching without a reverse pass: push the 2-jet (x, v, 0), and read both terms off the result.

    L(x) = (1/M) Σ_m [ ½ c₁² + 2 c₂ ], with log p(x + t v_m) = c₀ + c₁ t + c₂ t² + O(t³), so that c₁ = v_mᵀ s and
    2 c₂ = v_mᵀ H v_m. A model given by its score alone is pushed as a 1-jet: s(x + t v_m) = s + t ∇s v_m + O(t²).

    Unbiased for ½‖s‖² + tr ∇s, in value and in θ-gradient; equal to ``ssm`` on the same probes. Unlike finite
    differences at the same cost it has no step.

    Cost: one pass of M + 2 vectors a point (the M second-order terms are carried as their sum); the θ-gradient is one
    ordinary backward pass. Time O(M), memory O(M · depth), no factor D.

    Args:
        score: the score s, (B, D) to (B, D), or the gradient of a log-density, which is then pushed itself.
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many probes to push at once; None for all. The probes do not depend on it.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, or M > D for ``orthonormal``.
        NotImplementedError: an operation of the model has no Taylor rule; the message names it.

    Source: Song, Garg, Shi, Ermon (2019), Sliced Score Matching, UAI, eq. 8; Griewank, Walther (2008), ch. 13.
    """
    v = probe_laws.draw(law, probes, x, generator)
    log_density = getattr(score, "f", None)  # what `protocols.as_score` would differentiate in reverse
    objective = _from_score if log_density is None else _from_log_density
    model = score if log_density is None else log_density
    return functools.reduce(torch.add, (objective(model, x, part) for part in v.split(chunk or probes))) / probes


def _from_log_density(log_density, x: Tensor, v: Tensor) -> Tensor:
    series = along(log_density, x, v, 2, collapsed=True)
    projections = series.coefficient(1)
    return 0.5 * (projections**2).sum(0) + 2 * series.coefficient(2)[0]


def _from_score(score, x: Tensor, v: Tensor) -> Tensor:
    series = along(score, x, v, 1)
    projections = (series.value * v).sum(-1)
    return (0.5 * projections**2 + (series.coefficient(1) * v).sum(-1)).sum(0)
