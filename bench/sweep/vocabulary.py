"""Which models, data and activations there are, and what a model can serve; asked of the room that knows."""

from __future__ import annotations

from bench import problems
from bench.point import ProblemSpec


def objection(spec: ProblemSpec) -> tuple[str, str] | None:
    """What keeps a problem from being built: the axis at fault, and a line on what is allowed."""
    try:
        problems.check(spec)
    except ValueError as error:
        message = str(error)
        named = {"model": problems.MODELS, "data": problems.DATA, "activation": problems.ACTIVATIONS}
        for axis, known in named.items():
            if getattr(spec, axis) not in known:
                return axis, message
        return ("batch" if "batch" in message else "dim"), message
    return None


def misfit(spec: ProblemSpec, quantity: str, needs: str) -> str:
    """Why an estimator that needs this protocol cannot be measured on this model; empty if it can."""
    quantities, offered = problems.quantities(spec.model), problems.needs(spec.model)
    if quantity not in quantities:
        return f"model {spec.model} serves {', '.join(quantities)}; not {quantity}"
    if needs not in offered:
        return f"model {spec.model} offers {', '.join(offered)}; not {needs}"
    return ""


def ignores(spec: ProblemSpec, axis: str) -> bool:
    """Whether the problem's model does not heed an axis: points that differ in it alone are one problem."""
    return axis in ("depth", "width", "activation", "residual") and axis not in problems.MODELS[spec.model].reads
