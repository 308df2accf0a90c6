"""The trace from a Taylor expansion under Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register

FORMS = ("antithetic", "one_sided", "richardson")


@register(
    "taylor_trace",
    quantity="laplacian",
    bias="vanishing",
    step="sigma",
    bias_order=2,
    cost=Cost(
        "M (2 - [form = one_sided] + 2 [form = richardson]) + 1",
        memory="(2 M + 1) (D + W)",
        step_memory="(2 M + 1) (D + L W)",
    ),
    tags=("stochastic-trace", "finite-difference", "function-values"),
    source="Srinivas, Fleuret (2021), Rethinking the Role of Gradient-Based Attribution Methods for Model "
    "Interpretability, section 4",
)
def taylor_trace(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    sigma: float | None = None,
    probes: int = 1,
    form: str = "antithetic",
) -> Tensor:
    """Average how much f rises under Gaussian noise.

    Δf(x) ≈ (1/M) Σ_m (1/σ²) [f(x + σu_m) + f(x − σu_m) − 2 f(x)], u ~ N(0, I); one-sided, as published:
    (2/σ²) [f(x + σu_m) − f(x)]; richardson: 2 T(σ/√2) − T(σ) of the antithetic T on the same u.

    Bias (σ²/4) Δ²f + (σ⁴/24) Δ³f + …, from E f(x + σu) = exp(σ²Δ/2) f(x), for both first forms; −(σ⁴/48) Δ³f for
    richardson. The target is the exact Laplacian: the mean is not that of a smoothed f, whose bias would be twice as
    large. Variance (1/M) 2‖H‖_F² + O(σ²); the one-sided form adds 4‖∇f‖²/(M σ²), which diverges as σ → 0.

    Cost: 2M + 1 evaluations in one batch (M + 1 one-sided, 4M + 1 richardson), and one ordinary reverse pass for the
    θ-gradient: no second differentiation, so that it can be compiled. Time and memory O(M), with no factor D.

    Args:
        f: the function, (B, D) to (B,). Dropout or batch statistics break the difference.
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the noise.
        sigma: σ, the standard deviation of the noise in each coordinate. The default None takes u^¼ with u the dtype's
            machine epsilon (0.019 in float32, 1.2e-4 in float64), where cancellation meets truncation; the published
            default is 0.01.
        probes: M, how many noise vectors a row.
        form: "antithetic", "one_sided" or "richardson".

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ ≤ 0, M < 1, another form, or another order.

    Source: Srinivas, Fleuret (2021), Rethinking the Role of Gradient-Based Attribution Methods for Model
    Interpretability, ICLR, section 4.
    """
    if form not in FORMS:
        raise ValueError(f"option form of taylor_trace has to be one of {', '.join(FORMS)}; got {form!r}")
    sigma = torch.finfo(x.dtype).eps ** 0.25 if sigma is None else sigma
    u = probe_laws.draw("gaussian", probes, x, generator)
    if form == "one_sided":
        values = f(torch.cat([x.unsqueeze(0), x + sigma * u]).flatten(0, 1)).view(-1, x.shape[0])
        return 2 * (values[1:] - values[0]).mean(0) / sigma**2
    scales = (sigma,) if form == "antithetic" else (sigma / 2**0.5, sigma)
    sides = [x + sign * scale * u for scale in scales for sign in (1, -1)]
    values = f(torch.cat([x.unsqueeze(0), *sides]).flatten(0, 1)).view(-1, x.shape[0])
    rises = (values[1:] - values[0]).view(len(scales), 2, probes, -1).sum(1).mean(1)
    traces = [rise / scale**2 for rise, scale in zip(rises, scales, strict=True)]
    return traces[0] if form == "antithetic" else 2 * traces[0] - traces[1]
