"""Target ``dsm``: held against exact score matching on the clean data, from which denoising is off by O(σ²)."""

from __future__ import annotations

from bench.point import ProblemSpec
from bench.references.exact import name
from bench.references.recipe import Recipe


def _label(spec: ProblemSpec, quantity: str) -> str:
    return f"{name(quantity)} on the clean data; the bias shown includes denoising's own O(σ²)"


DSM = Recipe(_label)
