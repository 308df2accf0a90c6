"""Target ``csm``: composite score matching, Σ_d ½s_d² + ∂s_d/∂x_d with every s_d given the coordinates before d."""

from __future__ import annotations

from bench import problems
from bench.point import ProblemSpec
from bench.references.recipe import Recipe


def _check(spec: ProblemSpec, quantity: str) -> None:
    if "conditional_scores" not in problems.needs(spec.model):
        raise NotImplementedError(f"model {spec.model!r} has no conditional scores to match")


CSM = Recipe(lambda spec, quantity: "exact csm", check=_check)
