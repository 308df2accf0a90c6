"""Score matching with the trace from a Taylor expansion under noise, and its stability regulariser."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.laplacian.taylor_trace import taylor_trace
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "taylor_trace_sm",
    quantity="score_matching",
    needs="function",
    bias="vanishing",
    step="sigma",
    bias_order=2,
    cost=Cost(
        "M (2 - [form = one_sided] + 2 [form = richardson]) + 3",
        memory="(2 M + 1) (D + W)",
        step_memory="(2 M + 3) (D + L W)",
    ),
    tags=("stochastic-trace", "finite-difference"),
    source="Srinivas, Fleuret (2021), Rethinking the Role of Gradient-Based Attribution Methods for Model "
    "Interpretability, section 4",
)
def taylor_trace_sm(
    f,
    x: Tensor,
    *,
    generator: torch.Generator,
    sigma: float | None = None,
    probes: int = 1,
    form: str = "antithetic",
    tau: float = 0.0,
) -> Tensor:
    """Score matching whose trace is how much f rises under noise, plus τ times that trace squared.

    L(x) = ½ ‖∇f(x)‖² + T(x) + τ T(x)², with T the ``taylor_trace`` in the form given.

    Bias O(σ²) at τ = 0 (O(σ⁴) for richardson), the target then being ½‖s‖² + tr ∇s. The regulariser is biased at any
    τ > 0: E[T²] = (tr)² + Var(T), and for the one-sided form with one sample Var(T) ≈ 4‖∇f‖²/σ², so that the
    "stability" term is a penalty on the gradient's norm with the coefficient 4τ/σ² (40 at the published τ = 1e-3,
    σ = 0.01).

    Cost: one gradient and the evaluations of ``taylor_trace``; the θ-gradient differentiates the one gradient once
    more. Time and memory O(M), with no factor D.

    Args:
        f: the log-density, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        generator: the source of the noise.
        sigma: σ, the standard deviation of the noise; None as for ``taylor_trace``. Published: 0.01.
        probes: M, how many noise vectors a row.
        form: "antithetic", "one_sided" (published) or "richardson".
        tau: τ ≥ 0, the weight of the regulariser; published 1e-3. Above 0 the target is no longer that of score
            matching.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ ≤ 0, M < 1, τ < 0 or another form.

    Source: Srinivas, Fleuret (2021), Rethinking the Role of Gradient-Based Attribution Methods for Model
    Interpretability, ICLR, section 4.
    """
    if not isinstance(tau, (int, float)) or not 0 <= tau < math.inf:
        raise ValueError(f"option tau has to be a finite number >= 0; got {tau!r}")
    create_graph = torch.is_grad_enabled()
    trace = taylor_trace.function(f, x, order=2, generator=generator, sigma=sigma, probes=probes, form=form)
    with torch.enable_grad():
        points = leaf(x)
        s = gradient(f(points), points, create_graph=create_graph)
    return 0.5 * (s**2).sum(-1) + trace + (tau * trace**2 if tau else 0)
