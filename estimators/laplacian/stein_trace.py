"""The trace from function values alone, by Stein's identity."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register

FORMS = ("antithetic", "one_sided")


@register(
    "stein_trace",
    quantity="laplacian",
    bias="vanishing",
    step="sigma",
    bias_order=2,
    cost=Cost("2 M + 1 - [form = one_sided] M", memory="(2 M + 1) (D + W)", step_memory="(2 M + 1) (D + L W)"),
    tags=("stochastic-trace", "zeroth-order", "function-values"),
    source="Stein (1981), Estimation of the Mean of a Multivariate Normal Distribution, lemma 1, applied twice",
)
def stein_trace(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    sigma: float = 0.1,
    probes: int = 1,
    form: str = "antithetic",
) -> Tensor:
    """Weigh function values at noised points by the second Hermite polynomial of the noise.

    Δ E f(x + σu) = (1/σ²) E[(f(x + σu) − f(x)) (‖u‖² − D)] ≈ (1/2Mσ²) Σ_m [f(x + σu_m) + f(x − σu_m) − 2 f(x)] (‖u_m‖²
    − D), u ~ N(0, I); one-sided without the mirrored point and the ½.

    Bias (σ²/2) Δ²f + (σ⁴/8) Δ³f + …, that of the smoothed function E f(x + σu), and twice that of ``taylor_trace``. The
    variance is O(D) times that of ``taylor_trace`` (one-sided: (2D + 8)‖∇f‖²/σ²): a baseline that should lose wherever
    x can be evaluated along ±u.

    Cost: 2M + 1 evaluations in one batch (M + 1 one-sided), and one ordinary reverse pass for the θ-gradient. Time and
    memory O(M), with no factor D.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the noise.
        sigma: σ, the standard deviation of the noise in each coordinate, and of the smoothing.
        probes: M, how many noise vectors a row.
        form: "antithetic" or "one_sided".

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ ≤ 0, M < 1, another form, or another order.

    Source: Stein (1981), Estimation of the Mean of a Multivariate Normal Distribution, Annals of Statistics 9, lemma 1,
    applied twice.
    """
    if form not in FORMS:
        raise ValueError(f"option form of stein_trace has to be one of {', '.join(FORMS)}; got {form!r}")
    u = probe_laws.draw("gaussian", probes, x, generator)
    sides = [x + sigma * u] + ([x - sigma * u] if form == "antithetic" else [])
    values = f(torch.cat([x.unsqueeze(0), *sides]).flatten(0, 1)).view(-1, x.shape[0])
    rises = (values[1:] - values[0]).view(len(sides), probes, -1).mean(0)
    return (rises * ((u**2).sum(-1) - x.shape[1])).mean(0) / sigma**2
