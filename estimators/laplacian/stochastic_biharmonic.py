"""The biharmonic from fourth derivatives along random directions."""

import functools
import math

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along

LAWS = ("gaussian", "sphere")


@register(
    "stochastic_biharmonic",
    quantity="laplacian",
    orders=(4,),
    cost=Cost("3 M + 2", memory="(3 M + 2) (D + 2 W)", step_memory="(3 M + 2) (D + 2 L W)"),
    tags=("taylor-mode", "trace"),
    source="Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace Estimation for high-dimensional and high-order "
    "Physics-Informed Neural Networks; Shi, Hu, Lin, Kawaguchi (2024), Stochastic Taylor Derivative Estimator",
)
def stochastic_biharmonic(
    f,
    x: Tensor,
    *,
    order: int = 4,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "sphere",
    chunk: int | None = None,
) -> Tensor:
    """Average fourth directional derivatives along random directions, all pushed in one forward pass.

    Δ²f(x) ≈ (κ/M) Σ_m D⁴f(x)[v_m, v_m, v_m, v_m], with κ = 1/3 for Gaussian directions, and κ = (D + 2)/(3D) for
    directions uniform on the sphere of radius √D.

    Unbiased in value and in θ-gradient for these two laws, because their fourth moments are isotropic. Others are
    refused: with Rademacher directions the mean would be Δ²f − ⅔ Σ_i ∂⁴f/∂x_i⁴.

    Cost: one pass of 3M + 2 vectors, forward only; the θ-gradient is one ordinary backward pass. Time O(M), memory
    O(M · width) without and O(M · depth · width) with θ-gradient, no factor D.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 4.
        generator: the source of the directions.
        probes: M, how many directions a row.
        law: ``gaussian`` or ``sphere``, which has the lower variance.
        chunk: how many directions to push at once; None for all. The directions do not depend on it.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, or another law.
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Hu, Shi, Karniadakis, Kawaguchi (2024), CMAME (Gaussian); the sphere's factor from E[v_i⁴] = 3D/(D + 2).
    """
    if law not in LAWS:
        raise ValueError(
            f"option law of stochastic_biharmonic has to be one of {', '.join(LAWS)}; got {law!r}, whose fourth "
            "moments are not isotropic, so that it would be biased at order 4"
        )
    dim = x.shape[1]
    factor = 1 / 3 if law == "gaussian" else (dim + 2) / (3 * dim)
    v = probe_laws.draw(law, probes, x, generator)
    parts = v.split(chunk or probes)
    total = functools.reduce(torch.add, (along(f, x, part, 4, collapsed=True).coefficient(4)[0] for part in parts))
    return total * (factor * math.factorial(4) / probes)
