"""Stochastic dimension gradient descent: the Laplacian from a sample of its coordinates."""

import functools

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor.coordinates import over_coordinates


@register(
    "sdgd",
    quantity="laplacian",
    cost=Cost("min(M, W) + 2", memory="(min(M, W) + 2) W", step_memory="(min(M, W) + 2) L W"),
    tags=("taylor-mode", "trace", "coordinates"),
    source="Hu, Shukla, Karniadakis, Kawaguchi (2024), Tackling the Curse of Dimensionality with Physics-Informed "
    "Neural Networks",
)
def sdgd(
    f, x: Tensor, *, order: int = 2, generator: torch.Generator, probes: int = 1, chunk: int | None = None
) -> Tensor:
    """Sum the second derivatives along M coordinates, drawn without replacement and shared by all points.

    Δf(x) ≈ (D/M) Σ_{i ∈ I} ∂²f/∂x_i², with I uniform among the subsets of M of the D coordinates.

    Unbiased in value and in θ-gradient; variance of one row's value (D²/M) (D−M)/(D−1) Var_i(∂²f/∂x_i²), zero at M = D.
    As published, one subset serves the whole batch, so its noise does not average over rows; ``taylor_hutchinson`` with
    law ``coordinate`` draws one for each row.

    Cost: one pass of min(M, W₁) + 2 vectors, with W₁ the width of a first affine layer, whose Jacobian columns are M
    columns of its weight. Time and memory O(M), no factor D.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the coordinates.
        probes: M ≤ D, how many coordinates.
        chunk: how many coordinates to push at once; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1 or M > D.
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Hu, Shukla, Karniadakis, Kawaguchi (2024), Neural Networks 176.
    """
    dim = x.shape[1]
    if probes > dim:
        raise ValueError(f"option probes of sdgd has to be at most D = {dim}; got {probes}")
    coordinates = probe_laws.draw("coordinate", probes, x[:1], generator)[:, 0].argmax(-1)
    passes = over_coordinates(f, x, coordinates=coordinates, chunk=chunk)
    return functools.reduce(torch.add, (series.coefficient(2)[0] for series in passes)) * (2 * dim / probes)
