"""Target ``smoothed``: the quantity of the function, or over the data, smoothed by N(0, σ²I).

By the heat semigroup, derivatives of E f(x + σz) are expectations of derivatives at x + σz; by Stein's identity, the
θ-gradient of denoising score matching, E[½‖s(x + σz) + z/σ‖²], is that of exact score matching at x + σz. So both are
means of exact gradients at noised rows, whose spread is small: 16 draws of them reach a per cent or two. They
may take ``LIMIT_S``, and end there with the error that they have reached.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from bench.exact.gradient import exact_gradient, serving
from bench.point import ProblemSpec
from bench.references.exact import name
from bench.references.recipe import Draw, Recipe, Values

LIMIT_S = 10.0


def _label(spec: ProblemSpec, quantity: str) -> str:
    return f"{name(quantity)} without smoothing; the bias shown includes smoothing's own"


SMOOTHED = Recipe(_label)


def at(sigma: float) -> Recipe:
    """Smoothed by a known width σ."""

    def label(spec: ProblemSpec, quantity: str) -> str:
        return f"{name(quantity)} at rows noised by N(0, {sigma:g}²), a mean of draws"

    def sampler(model: nn.Module, quantity: str, order: int, x: Tensor) -> Draw:
        route = serving(model, quantity, order)[0]

        def draw(x: Tensor, v: Tensor, z: Tensor) -> Values:
            return exact_gradient(model, quantity, order, x + sigma * z, v, route)

        return draw

    return replace(
        SMOOTHED, label=label, kept_as=f"smoothed {sigma!r}", sampler=sampler, rows=1, error=0.02, limit_s=LIMIT_S
    )
