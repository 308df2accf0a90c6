"""Which models, data and activations there are, and what a model can serve; asked of the rooms that know."""

from __future__ import annotations

from collections.abc import Iterator

import bench.problems  # noqa: F401  (importing the room registers its models)
from bench import data
from bench.point import ProblemSpec
from bench.problems.activations import ACTIVATIONS
from bench.problems.registry import model
from estimators.arguments import close_matches


def objections(spec: ProblemSpec) -> Iterator[tuple[str, str]]:
    """What keeps a problem from being built: the axis at fault, and a line on what is allowed."""
    try:
        family = model(spec.model)
    except ValueError as error:
        yield "model", str(error)
        return
    if spec.activation not in ACTIVATIONS:
        yield "activation", f"no activation called {spec.activation!r}" + close_matches(spec.activation, ACTIVATIONS)
    if spec.data not in data.DATA:
        yield "data", f"no data called {spec.data!r}" + close_matches(spec.data, data.DATA)
        return
    if family.dims is not None and spec.dim not in family.dims:
        dims = family.dims
        words = f"{dims.start}…{dims.stop - 1}" if isinstance(dims, range) else " or ".join(map(str, dims))
        yield "dim", f"model {spec.model!r} has dim {words}; got {spec.dim}"
    try:
        data.check(spec.data, spec.dim, spec.batch)
    except ValueError as error:
        yield "batch" if "batch" in str(error) else "dim", str(error)


def misfit(spec: ProblemSpec, quantity: str, needs: str) -> str:
    """Why an estimator that needs this protocol cannot be measured on this model; empty if it can."""
    family = model(spec.model)
    if quantity not in family.quantities:
        return f"model {spec.model} serves {', '.join(family.quantities)}; not {quantity}"
    if needs not in family.needs:
        return f"model {spec.model} offers {', '.join(family.needs)}; not {needs}"
    return ""


def ignores(name: str) -> frozenset[str]:
    """The axes that a model does not heed: points that differ in them alone are one problem."""
    return frozenset({"depth", "width", "activation", "residual"} - set(model(name).reads))
