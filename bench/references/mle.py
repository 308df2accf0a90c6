"""Target ``mle``: the exact log-likelihood −log p(x)."""

from __future__ import annotations

from torch import Tensor, nn

from bench import problems
from bench.exact.gradient import exact_gradient, serving
from bench.point import ProblemSpec
from bench.references.recipe import Recipe


def _check(spec: ProblemSpec, quantity: str) -> None:
    if "log_likelihood" not in problems.quantities(spec.model):
        raise NotImplementedError(f"model {spec.model!r} has no likelihood: it is not normalised")


def _routes(model: nn.Module, quantity: str, order: int) -> tuple[str, ...]:
    return serving(model, "log_likelihood", order)


def _exact(
    model: nn.Module, quantity: str, order: int, x: Tensor, v: Tensor, route: str
) -> tuple[Tensor, list[Tensor]]:
    return exact_gradient(model, "log_likelihood", order, x, v, route)


MLE = Recipe(lambda spec, quantity: "exact mle", kept_as="mle", check=_check, routes=_routes, exact=_exact)
